import StageKit

/// Decides the next step of a worker of a group: the id at which the group begins or continues, the worker's own
/// entries to finish first, the entries to claim from others, and those that were delivered too often or lost. Pure.
///
/// The driver connects, queries the group and reports to `opened`. Then it repeatedly calls `next` and carries out the
/// returned step. With every connection it starts again at `opened`.
///
/// ```
/// unplaced --opened--> backlog --finished--> following <--> survey, every check_interval
///     ^                   |                      |
///     +--- group gone ----+----------------------+
/// ```
///
/// Responses of `opened` and `surveyed`, `P` being the last known last-delivered id of the group:
///
/// | stream | group | response |
/// | --- | --- | --- |
/// | any | exists, never seen before | continue at its last-delivered id |
/// | any | missing, never seen before | create it at `start` |
/// | missing | missing | gap `deleted`; create it at 0-0: all entries to come are new |
/// | last id below P | missing | gap `recreated`; create it at 0-0: it is another stream |
/// | last id P or above | missing | gap `group_lost`; create it at P and restore other workers' entries, as known |
/// | entries trimmed after last-delivered id | exists | gap `trimmed`, with their number if both counts are known |
/// | entry deleted after last-delivered id | exists | gap `entries_deleted` |
/// | any | exists, last-delivered id below P | set back by somebody: entries are redelivered, which stores accept |
///
/// A trim that the group's reads skip between two surveys is not detected, and with Redis 6.2 no trim is.
struct GroupMachine: Sendable, Equatable {
    /// The settings of the machine.
    struct Policy: Sendable, Equatable {
        /// The time between two surveys.
        var interval: Duration
        /// Maximum number of deliveries of an entry.
        var maxDeliveries: Int
        /// Maximum number of entries in one read.
        var readCount: Int
        /// Whether a gap ends the run.
        var halts: Bool
    }

    /// The driver's next step.
    enum Step: Equatable, Sendable {
        /// Query this worker's pending entries after an id, and report to `ownPending`.
        case backlog(after: EntryID?)
        /// Query the stream, the group and its pending entries, and report to `surveyed`.
        case survey
        /// Read entries that were not delivered to any worker.
        case read
    }

    /// The response to the state of the group after connecting.
    enum Course: Equatable, Sendable {
        /// No action is needed: read.
        case goOn
        /// Create the group at the configured start.
        case create
        /// Report the gap, create the group at an id, and restore the entries that are known to have been pending.
        case heal(Gap, at: EntryID, restoring: [PendingEntry])
    }

    /// A run of entries to take, each with its delivery number.
    struct Take: Equatable, Sendable {
        /// The id of the first entry.
        var first: EntryID
        /// The number of deliveries of each entry, including this one.
        var deliveries: [EntryID: Int]
        /// The entries whose count on the server is too high, with the counts to set before they are read.
        var corrections: [PendingEntry] = []
    }

    private let policy: Policy
    /// The group's last-delivered id when this process first saw it, or `nil` if the user may not query it.
    private var origin: EntryID?
    /// The entries that were requested and not yet passed to the stages, with their earlier deliveries.
    private var asked: [EntryID: Int] = [:]
    /// The group's last known last-delivered id, or `nil` before the group was seen.
    private(set) var place: EntryID?
    /// The pending entries as of the last survey.
    private(set) var pending: [PendingEntry] = []
    /// The progress in the worker's own backlog, or `nil` once it is finished.
    private var backlog: EntryID??
    private var nextSurvey: ContinuousClock.Instant?
    /// Whether something was read since the last survey: new entries get their turn between two surveys.
    private var hasRead = true
    /// Whether more entries can be claimed than one survey takes, so that no read should wait.
    private(set) var hurries = false
    /// Known losses: the number of entries gone from the stream, and the greatest deleted id.
    private var trimmed: UInt64 = 0
    private var deleted = EntryID.zero

    /// Creates a machine that knows nothing yet.
    init(_ policy: Policy) {
        self.policy = policy
    }

    /// Whether a gap ends the run.
    var halts: Bool { self.policy.halts }

    /// The delivery count from which an entry without an outcome is taken alone, so that the entries read with it are
    /// not counted too if it is the one that ends the worker.
    ///
    /// Every entry is tried alone once before it is refused, so with a low limit this begins earlier.
    var aloneFrom: Int { min(2, max(1, self.policy.maxDeliveries - 1)) }

    /// Maximum number of deliveries of an entry: `max_deliveries`, but at least two.
    ///
    /// The server counts the entries it sends, and a worker reads ahead: the first delivery of an entry that another
    /// process had may never have reached a stage. A process can be off by only one, because it corrects the counts
    /// that it knows better.
    var deliveryLimit: Int { max(2, self.policy.maxDeliveries) }

    // MARK: Events

    /// Handles a new connection after the group was queried; the worker's own backlog comes first from here on.
    mutating func opened(_ stream: StreamFacts?, _ group: GroupFacts?) -> Course {
        self.openedBlindly()
        if self.origin == nil { self.origin = group?.delivered ?? .zero }
        guard group == nil else { return .goOn }
        guard let place = self.place else { return .create }
        // This worker's pending entries were lost with the group.
        self.asked = [:]
        defer { self.pending = [] }
        guard let stream else {
            return self.startOver(Gap(.deleted, "the stream and its group were deleted"))
        }
        guard stream.generated >= place else {
            return self.startOver(
                Gap(.recreated, "the last id is \(stream.generated), but the group had reached \(place)"))
        }
        return .heal(
            Gap(.groupLost, "the group was deleted; it is created again after \(place)"), at: place,
            restoring: self.pending)
    }

    /// Handles a new connection of a user who may not query the group.
    mutating func openedBlindly() {
        self.backlog = .some(nil)
        self.nextSurvey = nil
        self.hasRead = true
    }

    private mutating func startOver(_ gap: Gap) -> Course {
        (self.place, self.origin) = (.zero, .zero)
        (self.trimmed, self.deleted) = (0, .zero)
        return .heal(gap, at: .zero, restoring: [])
    }

    /// Returns the next step at a given time.
    func next(at now: ContinuousClock.Instant) -> Step {
        if let backlog = self.backlog { return .backlog(after: backlog) }
        guard let nextSurvey = self.nextSurvey else { return .survey }
        return self.hasRead && (self.hurries || now >= nextSurvey) ? .survey : .read
    }

    /// Returns the worker's own entries to take next, from the reply to the query that `next` requested, or `nil` if
    /// all are done.
    mutating func ownPending(_ entries: [PendingEntry]) -> Take? {
        guard let first = entries.first else {
            self.backlog = nil
            self.asked = [:]
            return nil
        }
        let known = entries.map { entry in
            var entry = entry
            entry.deliveries = self.handOvers(of: entry)
            return entry
        }
        let run = self.run(known[...])
        self.backlog = .some(run.last?.id)
        var take = Take(first: first.id, deliveries: self.deliveries(run))
        take.corrections = zip(entries, run).compactMap { $0.deliveries == $1.deliveries ? nil : $1 }
        return take
    }

    /// Returns the known number of times that an entry of this worker was passed to the stages: the server's count, or
    /// less if this process knows that a delivery did not arrive or was only read ahead.
    ///
    /// Call it after a lost connection or at the end, when all entries that were passed to the stages are acknowledged.
    func handOvers(of entry: PendingEntry) -> Int {
        if let asked = self.asked[entry.id] { return min(asked, entry.deliveries) }
        // No worker had it before this process, and entries that this process has passed on are no longer pending.
        if let origin = self.origin, entry.id > origin { return 0 }
        return entry.deliveries
    }

    /// Records that entries are about to be requested.
    mutating func taking(_ take: Take) {
        for (id, deliveries) in take.deliveries { self.asked[id] = deliveries - 1 }
    }

    /// Records that requested entries are passed to the stages.
    mutating func handed(_ ids: [EntryID]) {
        if self.asked.isEmpty { return }
        for id in ids { self.asked[id] = nil }
    }

    /// Records that entries were delivered up to this id.
    mutating func read(upTo id: EntryID) {
        self.place = max(self.place ?? .zero, id)
        self.hasRead = true
    }

    /// Records that a read found nothing.
    mutating func readNothing() {
        self.hasRead = true
    }

    /// Handles the state of the stream, the group and the pending entries at a given time; returns `nil` if nothing was
    /// lost. Without facts, because the user lacks permission, losses cannot be detected.
    ///
    /// - Parameter hurries: Whether more entries can be claimed than were queried.
    mutating func surveyed(
        _ stream: StreamFacts?, _ group: GroupFacts?, _ pending: [PendingEntry], hurries: Bool,
        at now: ContinuousClock.Instant
    ) -> Gap? {
        self.nextSurvey = now + self.policy.interval
        // All entries that arrived were passed on; those that did not arrive belong to another worker.
        self.asked = [:]
        self.hasRead = false
        self.hurries = hurries
        guard let group else { return nil }
        let isFirst = self.place == nil
        self.place = group.delivered
        self.pending = pending
        return stream.flatMap { self.loss($0, group, isFirst: isFirst) }
    }

    /// Returns the entries to claim out of those that were found abandoned, in the order of their ids.
    func takeOver(_ abandoned: [PendingEntry], of consumer: String) -> [Take] {
        var takes: [Take] = []
        // The worker's own entries are in flight, or come with its backlog.
        for part in abandoned.split(whereSeparator: { $0.consumer == consumer }) {
            var rest = part
            while let first = rest.first {
                let run = self.run(rest)
                takes.append(Take(first: first.id, deliveries: self.deliveries(run)))
                rest = rest.dropFirst(run.count)
            }
        }
        return takes
    }

    /// Returns the reason to refuse an entry with this number of deliveries, or `nil` if it is not refused.
    func refusal(deliveries: Int) -> StageFailure? {
        guard deliveries > self.deliveryLimit else { return nil }
        var failure = StageFailure(
            "delivered \(deliveries) times without an outcome (group.max_deliveries is \(self.policy.maxDeliveries))",
            reason: "max_deliveries")
        failure.attempts = deliveries
        return failure
    }

    // MARK: Details

    /// Returns the entries, starting with the first, that are read together.
    private func run(_ entries: ArraySlice<PendingEntry>) -> ArraySlice<PendingEntry> {
        if let first = entries.first, first.deliveries >= self.aloneFrom { return entries.prefix(1) }
        return entries.prefix { $0.deliveries < self.aloneFrom }.prefix(self.policy.readCount)
    }

    private func deliveries(_ run: ArraySlice<PendingEntry>) -> [EntryID: Int] {
        Dictionary(run.map { ($0.id, $0.deliveries + 1) }, uniquingKeysWith: { first, _ in first })
    }

    /// Returns the loss after the group's last-delivered id, if counts show one; each loss is reported once.
    private mutating func loss(_ stream: StreamFacts, _ group: GroupFacts, isFirst: Bool) -> Gap? {
        let gone = stream.added.flatMap { $0 >= stream.length ? $0 - stream.length : nil }
        defer {
            self.trimmed = max(self.trimmed, gone ?? 0)
            self.deleted = max(self.deleted, stream.deleted ?? .zero)
        }
        // Entries that were gone when the worker started are not missed.
        if isFirst { return nil }
        let isTrimmedBehind = stream.first.map { $0 > group.delivered } ?? (stream.generated > group.delivered)
        if isTrimmedBehind, let gone, let read = group.read, gone > max(read, self.trimmed) {
            let lost = gone - max(read, self.trimmed)
            return Gap(
                .trimmed, lost: lost,
                "\(gone) entries were removed, but only \(read) were delivered up to \(group.delivered)")
        }
        if let deleted = stream.deleted, deleted > group.delivered, deleted > self.deleted {
            return Gap(
                .entriesDeleted, "entry \(deleted) after the group's last delivered id \(group.delivered) was deleted")
        }
        return nil
    }
}
