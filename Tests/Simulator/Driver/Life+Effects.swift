import StageKit

// The stage behind the store, and whether its promises are kept.
extension Life {
    /// How an attempt of the stage behind the store ends.
    enum Attempt {
        /// The effect has taken place.
        case done
        /// Nothing has happened: the stage is tried again.
        case failed
        /// Nothing has happened, and the run ends.
        case halted
    }

    /// Has the stage behind the store try its work on an entry.
    func attempt(_ entry: ModelEntry) -> Attempt {
        guard !self.isCalm, self.random.percent(self.plan.effectFailures) else { return .done }
        self.failedEffects += 1
        let attempt = self.plan.effectHalts && self.random.percent(20) ? Attempt.halted : .failed
        self.note("effect of \(entry.id) \(attempt)")
        return attempt
    }

    /// The effect of an entry has taken place.
    func took(_ entry: ModelEntry) throws {
        self.note("effect of \(entry.id)")
        if let violation = self.effects.took(entry) { throw violation }
    }

    /// A batch has ended.
    func ended(_ entries: [ModelEntry]) throws {
        if let violation = self.effects.ended(entries) { throw violation }
    }
}
