import Operations
import PipelineEngine
import StageKit

/// Records the outcomes of entries while a case runs; callable from any thread.
final class CaseRecorder: Sendable {
    private struct State {
        var outcomes: [ObservedOutcome] = []
        /// The outcomes of elements whose entry comes later. Events of a stage's own may be between them.
        var elements: [ObservedOutcome] = []
        var revocations: [[UInt8]] = []
        var evictions: [[UInt8]] = []
    }

    private let state = OrderedMutex(State())

    /// The outcomes of the entries so far.
    var outcomes: [ObservedOutcome] { self.state.withLock(\.outcomes) }
    /// The keys revoked so far.
    var revocations: [[UInt8]] { self.state.withLock(\.revocations) }

    /// The keys evicted so far.
    var evictions: [[UInt8]] { self.state.withLock(\.evictions) }

    /// Creates an observer that records here.
    func makeObserver() -> any OutcomeObserver { Observer(recorder: self) }

    private func add(_ outcome: ObservedOutcome, isElement: Bool) {
        self.state.withLock { state in
            if isElement { return state.elements.append(outcome) }
            var whole = outcome
            whole.elements = state.elements.filter { $0.id == outcome.id }
            state.elements.removeAll { $0.id == outcome.id }
            state.outcomes.append(whole)
        }
    }

    private final class Observer: OutcomeObserver {
        private let recorder: CaseRecorder

        init(recorder: CaseRecorder) {
            self.recorder = recorder
        }

        func observe(_ event: borrowing Event, _ result: EventResult) {
            var fields: [String: [UInt8]] = [:]
            for column in result.fields.columns {
                guard let range = event.range(of: column.field) else { continue }
                fields[column.name] = event.withBytes(range) { [UInt8](copying: $0) }
            }
            self.recorder.add(
                ObservedOutcome(
                    id: event.id, outcome: result.outcome, reason: result.reason, stage: result.stage,
                    error: result.error, effects: result.effects, fields: fields),
                isElement: event.element != nil)
        }

        func endBatch() async throws {}
    }
}

extension CaseRecorder: RevocationHandler {
    /// Records the key.
    func revoke(_ event: borrowing Event, key: FieldID) {
        self.add(event, key, to: \.revocations)
    }

    /// Records the key.
    func evicted(_ event: borrowing Event, key: FieldID, reason: String) {
        self.add(event, key, to: \.evictions)
    }

    private func add(_ event: borrowing Event, _ key: FieldID, to list: WritableKeyPath<State, [[UInt8]]>) {
        guard let range = event.range(of: key) else { return }
        let bytes = event.withBytes(range) { Array(copying: $0) }
        self.state.withLock { $0[keyPath: list].append(bytes) }
    }
}
