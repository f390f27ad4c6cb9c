import StageKit

// Stages add events to the batch. Those for the elements of an event take its place in stream order; the replaced event
// is finished when all of them are, with the worst of their outcomes. A stage's own (`EmittingStage`) come before the
// event during which they were added, which may be that of an element, and have outcomes of their own.
extension GraphWalker {
    /// The result of the event of an element.
    private struct ElementResult {
        var outcome: Outcome
        var reason: ReasonID
        var failure: StageFailure?
        var endingStage: Int?

        init(_ event: borrowing Event) {
            let settled = event.settled
            self.failure = event.failure
            self.outcome = settled?.outcome ?? (self.failure == nil ? .applied : .dropped)
            self.reason = settled?.reason ?? .none
            self.endingStage = event.endingStage
        }
    }

    /// Lets the events of elements continue after a node in place of the event at `index`.
    ///
    /// - Parameters:
    ///   - elements: The indices of the events.
    ///   - failures: The failures of the stage on some of them, by the number of the element.
    /// - Returns: A stop if the run ends because of a failure.
    mutating func expand(
        _ batch: EventBatch, at index: Int, into elements: Range<Int>, _ failures: [Int: StageFailure], at node: Int
    ) -> Stop? {
        self.tally.passed(node)
        self.progress.replace(index, by: elements, at: self.nodes.next(node))
        var halt: Stop?
        for (number, failure) in failures.sorted(by: { $0.key < $1.key }) {
            let element = elements.lowerBound + number
            batch.withEvent(at: element) { event in
                let next = self.fail(&event, failure, at: node, mayRetry: false)
                self.progress.positions[element] = next
                if next == StageGraph.halt, halt == nil { halt = Self.halt(event) }
            }
        }
        return halt
    }

    /// Gives an event the worst of the outcomes of its elements, unless its own is worse. Of several equal ones, the
    /// first counts.
    mutating func combine(_ batch: EventBatch, _ elements: Range<Int>, into index: Int) {
        var worst: ElementResult?
        for element in elements {
            let result = batch.withEvent(at: element) { ElementResult($0) }
            if let found = worst, found.outcome.severity >= result.outcome.severity { continue }
            worst = result
        }
        guard let worst else { return }
        batch.withEvent(at: index) { event in
            if let own = event.settled, own.outcome.severity >= worst.outcome.severity { return }
            if let failure = worst.failure, !event.hasFailed { event.fail(failure) }
            // Without a settled outcome, an event counts as applied, or as dropped if it has failed.
            if worst.outcome != .applied || worst.reason != .none || event.hasFailed {
                event.settle(worst.outcome, worst.reason)
            }
            if let stage = worst.endingStage { event.end(at: stage) }
        }
    }

    /// Reports the event of an element to the observer. It is not counted: the replaced event is, with the worst outcome.
    func reportElement(_ event: borrowing Event) {
        let isPlain = !event.hasFailed && event.settled == nil
        guard self.interest == .all || (self.interest == .unusual && !isPlain) else { return }
        let result = ElementResult(event)
        let reason = result.failure?.reason ?? self.names.reasons[Int(result.reason.index)]
        self.report(event, result.outcome, reason, result.failure)
    }

    // MARK: Events of a stage's own

    /// Whether the stage of a node has events to add.
    func hasEmissions(at node: Int) -> Bool {
        self.emitters.contains { $0.node == node && $0.stage.hasEmissions }
    }

    /// Reports to the stages that a silent stream has reached a time; `batch` has no entries.
    mutating func advance(_ batch: EventBatch, to milliseconds: UInt64) {
        for emitter in self.emitters { emitter.stage.advance(to: milliseconds) }
        self.takeEmissions(batch)
    }

    /// Appends the events that stages have added to the batch; returns whether there were any.
    @discardableResult
    mutating func takeEmissions(_ batch: EventBatch) -> Bool {
        let before = batch.count
        // Each insertion is before those made here already, so the events of the first stage come first.
        for emitter in self.emitters.reversed() where emitter.stage.hasEmissions {
            let events = EmittedEvents(batch)
            emitter.stage.emit(into: events)
            self.counters.stages[emitter.node].emitted += UInt64(events.indices.count)
            self.progress.insert(events.indices, at: self.nodes.next(emitter.node))
        }
        return batch.count > before
    }
}
