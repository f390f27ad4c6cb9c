import RedisStreams
import StageKit

/// A promise that was broken.
struct Violation: Error, Equatable, CustomStringConvertible {
    /// Which promise, and by what.
    let description: String

    init(_ description: String) { self.description = description }
}

/// What a store has to hold for a session.
struct Held: Sendable, Equatable {
    /// The entry it came from, or was taken out by.
    var id: EntryID
    /// What that said.
    var state: SessionState
    /// The entry's number.
    var serial: Int
}

/// What is true in a life, as somebody sees it who sees everything: what a worker says and holds is held against it.
///
/// A **stage of knowledge** (`Epoch`) begins where a worker begins to read, or has told a gap: from then on every entry that
/// is there, or comes, behind its cursor is due. An entry that went before it was read, and one that was read and which
/// its server has lost since, has to be told as soon as a look at the stream that came after it is accounted for.
struct Ledger: Sendable {
    /// What a worker has to know.
    struct Epoch: Sendable {
        /// What went before this moment is not missed.
        var began: Int
        /// When it began, or a gap was accepted: what went since is a reason to tell a gap, missed or not.
        var placed: Int
        /// Entries up to here are not due.
        var cursor: EntryID
        /// Numbers of entries that were handed to the stages.
        var delivered: Set<Int> = []
        /// What the store has to hold, by session.
        var held: [Held?]
        /// What has to be held before look-ups are answered: what was there at this moment; nil where they may go on.
        var filledFrom: Int?
        /// Whether losses were accepted, so that the store need not be as the stream and the keys are.
        var isAccepting = false
        /// The streams that were looked at, or read of.
        var seen: Set<Int> = []
        /// Numbers of the delivered entries that were in the stream when it was looked at or read.
        var found: Set<Int> = []
        /// When counting began, and the last entry that was handed on before: entries below it were not counted.
        var uncounted: (until: Int, last: EntryID)?
        /// The number of removed entries, as of the last check, or `nil` if the server does not report it.
        var removed: UInt64?
        /// Whether the store was filled from keys.
        var isScanned = false
        /// Numbers of entries that were handed to the stages before, for a store that was kept since.
        var kept: Set<Int> = []
        /// Entries up to here were not due when that store was filled, or are passed over: what was proven then says
        /// nothing of them.
        var keptCursor = EntryID.zero
        /// Sessions of which a checkpoint had more than its cursor tells.
        var ahead: Set<Int> = []
        /// The last entry that was handed to the stages, or where the reading began.
        var last = EntryID.zero

        /// Nothing is delivered yet.
        init(began: Int, cursor: EntryID, held: [Held?]) {
            self.began = began
            self.placed = began
            self.cursor = cursor
            self.held = held
        }

        /// Whether an entry was passed over before counting began.
        func isUncounted(_ fate: Fate) -> Bool {
            self.uncounted.map { fate.added <= $0.until && fate.entry.id <= $0.last } ?? false
        }
    }

    /// An entry that was lost without a report.
    struct Untold {
        /// The entry.
        let fate: Fate
        /// The promise that this breaks.
        let violation: Violation

        init(_ fate: Fate, _ violation: String) {
            self.fate = fate
            self.violation = Violation(violation)
        }
    }

    /// Every entry by its number.
    private(set) var fates: [Fate] = []
    /// What the running worker has to know; nil before it has begun.
    var epoch: Epoch?

    /// The entry of a number.
    func entry(_ serial: Int) -> ModelEntry { self.fates[serial].entry }

    /// How many entries up to an id were ever added to a stream.
    func added(to lineage: Int, upTo id: EntryID) -> UInt64 {
        UInt64(self.fates.count { $0.entry.lineage == lineage && $0.entry.id <= id && !$0.isLostWrite })
    }

    // MARK: What happens to entries

    /// Notes a new entry and returns its number.
    mutating func add(_ id: EntryID, _ session: Int, _ state: SessionState, _ lineage: Int, at time: Int) -> ModelEntry
    {
        let entry = ModelEntry(id: id, session: session, state: state, serial: self.fates.count, lineage: lineage)
        self.fates.append(Fate(entry: entry, added: time))
        return entry
    }

    /// Notes that entries were trimmed or deleted.
    mutating func remove(_ entries: some Sequence<ModelEntry>, at time: Int) {
        for entry in entries { self.fates[entry.serial].gone = time }
    }

    /// Notes that the stream is gone, with what it had held.
    mutating func drop(at time: Int) {
        for index in self.fates.indices where self.fates[index].undone == nil {
            if self.fates[index].gone == nil { self.fates[index].gone = time }
            self.fates[index].undone = time
        }
    }

    /// Notes that everything is as it was when `copy` was taken: what came since was never there.
    mutating func goBack(to copy: Ledger, at time: Int) {
        for index in self.fates.indices {
            if index < copy.fates.count {
                let before = self.fates[index]
                self.fates[index] = copy.fates[index]
                // What is there again has come now.
                let wasThere = before.gone == nil && before.undone == nil
                self.fates[index].added = wasThere ? before.added : time
                if !wasThere, self.fates[index].gone == nil { self.fates[index].cameBack = time }
            } else {
                self.fates[index].isLostWrite = true
                if self.fates[index].undone == nil { self.fates[index].undone = time }
                if self.fates[index].gone == nil { self.fates[index].gone = time }
            }
        }
    }

    // MARK: What a worker does

    /// Takes account of a stream that was looked at, as it was at that time.
    mutating func see(_ lineage: Int, at time: Int) {
        guard let epoch = self.epoch else { return }
        self.epoch?.seen.insert(lineage)
        for serial in epoch.delivered where !epoch.found.contains(serial) {
            let fate = self.fates[serial]
            if fate.entry.lineage == lineage, fate.added <= time, fate.undone.map({ $0 > time }) ?? true {
                self.epoch?.found.insert(serial)
            }
        }
    }

    /// Takes account of an entry that was handed to the stages.
    mutating func deliver(_ entry: ModelEntry) {
        self.epoch?.delivered.insert(entry.serial)
        self.epoch?.found.insert(entry.serial)
        self.epoch?.seen.insert(entry.lineage)
        if let last = self.epoch?.last, entry.id > last { self.epoch?.last = entry.id }
        self.apply(Held(id: entry.id, state: entry.state, serial: entry.serial), to: entry.session)
    }

    /// Takes account of something newer about a session; what is not newer changes nothing.
    mutating func apply(_ held: Held, to session: Int) {
        guard let before = self.epoch?.held[session] else {
            self.epoch?.held[session] = held
            return
        }
        if held.id > before.id { self.epoch?.held[session] = held }
    }

    /// Takes account of what went at the end of a filling.
    mutating func sweep(before entry: EntryID) {
        for session in self.epoch?.held.indices ?? 0..<0 {
            if let held = self.epoch?.held[session], held.id < entry, held.state != .malformed {
                self.epoch?.held[session] = nil
            }
        }
    }

    /// Whether a worker's epoch makes an entry due.
    private func isDue(_ fate: Fate, _ epoch: Epoch, since began: Int) -> Bool {
        fate.entry.id > epoch.cursor && (fate.gone.map { $0 > began } ?? true)
            && !(fate.undone.map { $0 <= began } ?? false)
    }

    // MARK: Promises

    /// What should have been told by a look at that moment that is accounted for, of what went below an id; nil where
    /// nothing.
    func untold(by look: Int, cursor: EntryID, below limit: EntryID = .max) -> Untold? {
        guard let epoch = self.epoch else { return nil }
        for fate in self.fates where fate.added <= look {
            if epoch.delivered.contains(fate.entry.serial) {
                // What came back behind an accepted loss, and went again unseen, leaves nothing either.
                let wasFound = epoch.found.contains(fate.entry.serial)
                if let undone = fate.undone, undone > epoch.began, undone <= look, wasFound {
                    return Untold(
                        fate, "entry \(fate.entry.id) was read, the server has lost it, and nothing was told")
                }
                continue
            }
            guard self.isDue(fate, epoch, since: epoch.began) else { continue }
            if let gone = fate.gone {
                // A stream that came and went unseen leaves nothing that could tell of it.
                let wasSeen = fate.undone == nil || epoch.seen.contains(fate.entry.lineage)
                if gone <= look, !fate.isLostWrite, wasSeen, fate.entry.id < limit {
                    return Untold(fate, "entry \(fate.entry.id) was lost unread, and nothing was told")
                }
            } else if fate.entry.id <= cursor, !epoch.isUncounted(fate) {
                return Untold(fate, "entry \(fate.entry.id) was passed over, and nothing was told")
            }
        }
        return nil
    }

    /// Whether there is anything to tell: a gap without it is a false alarm.
    var hasLoss: Bool {
        guard let epoch = self.epoch else { return true }
        return self.fates.contains { fate in
            if let undone = fate.undone, undone > epoch.placed { return true }
            // What is still there was passed over if a later entry was read: its removal was undone since.
            return (fate.gone != nil || fate.entry.id <= epoch.last)
                && !epoch.delivered.contains(fate.entry.serial) && self.isDue(fate, epoch, since: epoch.placed)
        }
    }

    /// What should have been in the store for a claim to have had everything at that moment; nil where it was.
    func missing(at proof: Int) -> Violation? {
        guard let epoch = self.epoch else { return nil }
        // What has an id below one that was handed on is passed over: a gap, which has to be told by the next look.
        let start = proof < epoch.began ? max(epoch.last, epoch.keptCursor) : epoch.last
        for fate in self.fates where fate.added <= proof && fate.gone == nil && fate.entry.id > start {
            let isHandled = epoch.delivered.contains(fate.entry.serial) || epoch.kept.contains(fate.entry.serial)
            if self.isDue(fate, epoch, since: epoch.began), !isHandled {
                return Violation(
                    "entry \(fate.entry.id) of \(fate.added) is not read, and news is proven up to \(proof)")
            }
        }
        return nil
    }

    /// What should have been in the store before look-ups are answered; nil where it is.
    var unfilled: Violation? {
        guard let epoch = self.epoch, let filled = epoch.filledFrom else { return nil }
        for fate in self.fates where fate.added <= filled && fate.gone == nil {
            if self.isDue(fate, epoch, since: epoch.began), !epoch.delivered.contains(fate.entry.serial) {
                return Violation("look-ups are answered, and entry \(fate.entry.id) is not read")
            }
        }
        return nil
    }
}
