package import PipelineEngine
package import StageKit

/// Passes outcomes to several observers, one after the other, if they are interested.
package final class ObserverList: OutcomeObserver {
    private var members: [(observer: any OutcomeObserver, interest: OutcomeInterest, wants: Bool)]

    /// Creates a list of observers.
    package init(_ observers: [any OutcomeObserver]) {
        self.members = observers.map { ($0, .none, false) }
    }

    /// Returns the combined interest of all observers.
    package func beginBatch(of count: Int) -> OutcomeInterest {
        var interest = OutcomeInterest.none
        for index in self.members.indices {
            self.members[index].interest = self.members[index].observer.beginBatch(of: count)
            interest = max(interest, self.members[index].interest)
        }
        return interest
    }

    /// Whether any observer is interested in the event.
    package func wants(_ event: borrowing Event, _ outcome: Outcome, stage: String?, key: FieldID?) -> Bool {
        // The same decision as for a single observer.
        let isUnusual = event.failure != nil || event.settled != nil
        var isWanted = false
        for index in self.members.indices {
            let interest = self.members[index].interest
            let isAsked = interest == .all || (isUnusual && interest == .unusual)
            self.members[index].wants =
                isAsked && self.members[index].observer.wants(event, outcome, stage: stage, key: key)
            isWanted = isWanted || self.members[index].wants
        }
        return isWanted
    }

    /// Passes the outcome to each interested observer.
    package func observe(_ event: borrowing Event, _ result: EventResult) {
        for member in self.members where member.wants { member.observer.observe(event, result) }
    }

    /// Ends the batch for each observer.
    package func endBatch() async throws {
        for member in self.members { try await member.observer.endBatch() }
    }
}
