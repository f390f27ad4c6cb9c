import StageKit

/// Decides what a worker of a group does next: where the group begins or goes on, what of its own it finishes first, what
/// it takes over from others, what has been delivered too often, and what was lost. Pure.
///
/// The driver connects, looks at the group and reports to `opened`; then it asks `next` over and over and does what that
/// says. It starts over at `opened` with every connection.
///
/// ```
/// unplaced --opened--> backlog --finished--> following <--> survey, every check_interval
///     ^                   |                      |
///     +--- group gone ----+----------------------+
/// ```
///
/// What `opened` and `surveyed` make of what they find, `P` being the last place of the group that is known:
///
/// | stream | group | what it means |
/// | --- | --- | --- |
/// | any | there, never seen before | go on where it is |
/// | any | not there, never seen before | make it at `start` |
/// | gone | gone | gap `deleted`; make it at 0-0: all that comes is new |
/// | last id below P | gone | gap `recreated`; make it at 0-0: it is another stream |
/// | last id P or above | gone | gap `group_lost`; make it at P and put back what others had, as far as it is known |
/// | entries trimmed behind the group's place | there | gap `trimmed`, with their number where both counts are told |
/// | an entry deleted behind the group's place | there | gap `entries_deleted` |
/// | the group's place below P | there | somebody set it back: entries come again, which stores take |
///
/// A trim that the group's reading passes over between two looks goes unnoticed, and Redis 6.2 tells of none.
struct GroupMachine: Sendable, Equatable {
    /// What it goes by.
    struct Policy: Sendable, Equatable {
        /// Between two looks.
        var interval: Duration
        /// How often an entry is delivered.
        var maxDeliveries: Int
        /// The most entries in one read.
        var readCount: Int
        /// Whether a gap ends the run.
        var halts: Bool
    }

    /// What the driver does next.
    enum Step: Equatable, Sendable {
        /// Ask what this worker has behind an id, and report to `ownPending`.
        case backlog(after: EntryID?)
        /// Look at the stream, the group and its pending entries, and report to `surveyed`.
        case survey
        /// Read what nobody has.
        case read
    }

    /// What to do about what was found when connecting.
    enum Course: Equatable, Sendable {
        /// Nothing: read.
        case goOn
        /// Make the group where the settings say.
        case create
        /// Tell the gap, make the group behind an id, and put back what is known to have been pending.
        case heal(Gap, at: EntryID, restoring: [PendingEntry])
    }

    /// A run of entries to take, each with the number of the delivery that it is taken for.
    struct Take: Equatable, Sendable {
        /// The first of them.
        var first: EntryID
        /// How often each was delivered, this time included.
        var deliveries: [EntryID: Int]
        /// Those that the server has counted too often, with the count that they are to have before they are read.
        var corrections: [PendingEntry] = []
    }

    private let policy: Policy
    /// Where the group was when this process first saw it; `nil` if it may not look.
    private var origin: EntryID?
    /// The entries that were asked for and not handed to the stages yet, with their deliveries before that.
    private var asked: [EntryID: Int] = [:]
    /// The group's last known place; nil before it was seen.
    private(set) var place: EntryID?
    /// What was pending when last looked.
    private(set) var pending: [PendingEntry] = []
    /// How far the worker's own backlog is worked off; nil where it is.
    private var backlog: EntryID??
    private var nextSurvey: ContinuousClock.Instant?
    /// Whether something was read since the last survey: new entries have their turn between two of them.
    private var hasRead = true
    /// Whether more is waiting to be taken over than one survey takes, so that no read is to wait.
    private(set) var hurries = false
    /// What is known to have been lost already: how many entries of the stream were gone, and the greatest deleted id.
    private var trimmed: UInt64 = 0
    private var deleted = EntryID.zero

    /// Nothing is known yet.
    init(_ policy: Policy) {
        self.policy = policy
    }

    /// Whether a gap ends the run.
    var halts: Bool { self.policy.halts }

    /// An entry that was delivered so often without an outcome is taken alone, so that those read with it are not counted
    /// with it if it is the one that ends the worker.
    ///
    /// Every entry is tried alone once before it is refused, so with a low limit that begins earlier.
    var aloneFrom: Int { min(2, max(1, self.policy.maxDeliveries - 1)) }

    /// How often an entry is delivered: `max_deliveries`, but at least twice.
    ///
    /// The server counts what it sends, and a worker reads ahead: of an entry that another process had, the first delivery
    /// may never have reached a stage. A process can be wrong by one only, as it corrects the counts that it knows better.
    var deliveryLimit: Int { max(2, self.policy.maxDeliveries) }

    // MARK: What happens

    /// A connection is there and the group was looked at; the own backlog comes first from here on.
    mutating func opened(_ stream: StreamFacts?, _ group: GroupFacts?) -> Course {
        self.openedBlindly()
        if self.origin == nil { self.origin = group?.delivered ?? .zero }
        guard group == nil else { return .goOn }
        guard let place = self.place else { return .create }
        // What this worker had went with the group.
        self.asked = [:]
        defer { self.pending = [] }
        guard let stream else {
            return self.startOver(Gap(.deleted, "the stream is gone, and the group with it"))
        }
        guard stream.generated >= place else {
            return self.startOver(Gap(.recreated, "the last id is \(stream.generated), and the group was at \(place)"))
        }
        return .heal(
            Gap(.groupLost, "the group is gone; it goes on behind \(place)"), at: place, restoring: self.pending)
    }

    /// A connection is there, and the user may not look at the group.
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

    /// What to do at a moment.
    func next(at now: ContinuousClock.Instant) -> Step {
        if let backlog = self.backlog { return .backlog(after: backlog) }
        guard let nextSurvey = self.nextSurvey else { return .survey }
        return self.hasRead && (self.hurries || now >= nextSurvey) ? .survey : .read
    }

    /// What of its own the worker takes next, by the answer to what `next` asked; nil where all of it is done.
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

    /// How often an entry that this worker has was handed to stages, as far as is known: the server's count, or less if this
    /// process knows that a delivery was lost on the way to it or only read ahead.
    ///
    /// To be asked after a lost connection or at the end, when all that was handed to the stages is acknowledged.
    func handOvers(of entry: PendingEntry) -> Int {
        if let asked = self.asked[entry.id] { return min(asked, entry.deliveries) }
        // Nobody had it before this process, and what this process has handed over is not pending any more.
        if let origin = self.origin, entry.id > origin { return 0 }
        return entry.deliveries
    }

    /// Entries are about to be asked for.
    mutating func taking(_ take: Take) {
        for (id, deliveries) in take.deliveries { self.asked[id] = deliveries - 1 }
    }

    /// Entries that were asked for are handed to the stages.
    mutating func handed(_ ids: [EntryID]) {
        if self.asked.isEmpty { return }
        for id in ids { self.asked[id] = nil }
    }

    /// Entries were delivered up to this id.
    mutating func read(upTo id: EntryID) {
        self.place = max(self.place ?? .zero, id)
        self.hasRead = true
    }

    /// A read found nothing.
    mutating func readNothing() {
        self.hasRead = true
    }

    /// The stream, the group and what is pending, at a moment; nil where nothing was lost. Without facts, as the user may
    /// not ask, nothing can be told.
    ///
    /// - Parameter hurries: Whether more is waiting to be taken over than was asked about.
    mutating func surveyed(
        _ stream: StreamFacts?, _ group: GroupFacts?, _ pending: [PendingEntry], hurries: Bool,
        at now: ContinuousClock.Instant
    ) -> Gap? {
        self.nextSurvey = now + self.policy.interval
        // All that came was handed over; what did not come is another worker's.
        self.asked = [:]
        self.hasRead = false
        self.hurries = hurries
        guard let group else { return nil }
        let isFirst = self.place == nil
        self.place = group.delivered
        self.pending = pending
        return stream.flatMap { self.loss($0, group, isFirst: isFirst) }
    }

    /// What to take over of entries that were found abandoned, in the order of their ids.
    func takeOver(_ abandoned: [PendingEntry], of consumer: String) -> [Take] {
        var takes: [Take] = []
        // What is the worker's own is in its hands, or comes with its backlog.
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

    /// Why an entry is refused that was delivered so often; nil where it is not.
    func refusal(deliveries: Int) -> StageFailure? {
        guard deliveries > self.deliveryLimit else { return nil }
        var failure = StageFailure(
            "delivered \(deliveries) times without an outcome (group.max_deliveries is \(self.policy.maxDeliveries))",
            reason: "max_deliveries")
        failure.attempts = deliveries
        return failure
    }

    // MARK: Details

    /// The entries from the first on that are read together.
    private func run(_ entries: ArraySlice<PendingEntry>) -> ArraySlice<PendingEntry> {
        if let first = entries.first, first.deliveries >= self.aloneFrom { return entries.prefix(1) }
        return entries.prefix { $0.deliveries < self.aloneFrom }.prefix(self.policy.readCount)
    }

    private func deliveries(_ run: ArraySlice<PendingEntry>) -> [EntryID: Int] {
        Dictionary(run.map { ($0.id, $0.deliveries + 1) }, uniquingKeysWith: { first, _ in first })
    }

    /// What is gone behind the group's place, as far as numbers tell it; each loss is told once.
    private mutating func loss(_ stream: StreamFacts, _ group: GroupFacts, isFirst: Bool) -> Gap? {
        let gone = stream.added.flatMap { $0 >= stream.length ? $0 - stream.length : nil }
        defer {
            self.trimmed = max(self.trimmed, gone ?? 0)
            self.deleted = max(self.deleted, stream.deleted ?? .zero)
        }
        // What was gone when the worker came is not for it to miss.
        if isFirst { return nil }
        let isTrimmedBehind = stream.first.map { $0 > group.delivered } ?? (stream.generated > group.delivered)
        if isTrimmedBehind, let gone, let read = group.read, gone > max(read, self.trimmed) {
            let lost = gone - max(read, self.trimmed)
            return Gap(
                .trimmed, lost: lost, "\(gone) entries are gone, and \(read) were delivered up to \(group.delivered)")
        }
        if let deleted = stream.deleted, deleted > group.delivered, deleted > self.deleted {
            return Gap(.entriesDeleted, "entry \(deleted) was deleted behind the group's place \(group.delivered)")
        }
        return nil
    }
}
