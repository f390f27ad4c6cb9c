import StageKit

/// What the stage behind the store has done for entries, as somebody sees it who sees everything.
///
/// It says by itself what is finished: what a cursor has passed, never what a store holds. Every other entry must have had
/// its effect when its batch ends, in whichever run of the worker; and the effects of a session come in stream order from
/// the moment on at which the worker begins to read.
struct EffectLedger: Sendable {
    /// Numbers of the entries that had their effect.
    private(set) var done: Set<Int> = []
    /// Entries up to here are finished, or were never to be read.
    private(set) var finishedUpTo = EntryID.zero
    /// The entry of a session's last effect since the reading began.
    private var last: [EntryID?]

    /// Nothing was done yet.
    init(sessions: Int) {
        self.last = Array(repeating: nil, count: sessions)
    }

    /// The worker begins to read behind this id: what comes before it is finished, or told by keys. If stores are kept, it
    /// may have passed the id before.
    mutating func placed(behind id: EntryID, keepsStores: Bool) {
        self.finishedUpTo = keepsStores ? max(self.finishedUpTo, id) : id
        self.last = Array(repeating: nil, count: self.last.count)
    }

    /// The effect of an entry has taken place; the promise that it breaks, or `nil`.
    mutating func took(_ entry: ModelEntry) -> Violation? {
        self.done.insert(entry.serial)
        let last = self.last[entry.session]
        self.last[entry.session] = entry.id
        guard let last, last >= entry.id else { return nil }
        return Violation("session \(entry.session) has the effect of \(entry.id) behind that of \(last)")
    }

    /// A batch has ended, and the cursor moves behind it; the promise that this breaks, or `nil`.
    mutating func ended(_ entries: [ModelEntry]) -> Violation? {
        let missed = entries.first { !self.done.contains($0.serial) && $0.id > self.finishedUpTo }
        if let last = entries.last { self.finishedUpTo = max(self.finishedUpTo, last.id) }
        return missed.map { Violation("entry \($0.id) has its outcome, was not finished before, and had no effect") }
    }
}
