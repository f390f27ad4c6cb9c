import PipelineEngine
import StageKit

/// Tells several observers of every outcome, one after the other.
final class ObserverList: OutcomeObserver {
    private let observers: [any OutcomeObserver]

    /// Makes a list.
    init(_ observers: [any OutcomeObserver]) {
        self.observers = observers
    }

    /// Tells each observer.
    func observe(_ event: borrowing Event, _ record: OutcomeRecord) {
        for observer in self.observers { observer.observe(event, record) }
    }

    /// Ends the batch with each observer.
    func endBatch() async throws {
        for observer in self.observers { try await observer.endBatch() }
    }
}
