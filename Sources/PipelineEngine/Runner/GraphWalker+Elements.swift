import StageKit

// A stage can replace the event of an entry by events for its elements. These take the replaced event's place in stream
// order. The entry is finished when all of them are, with the worst of their outcomes.
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

    /// Reports the events of an entry's elements to the observer, and gives the entry's event the worst of their
    /// outcomes unless its own is worse. Of several equal ones, the first counts.
    mutating func settle(_ batch: EventBatch, _ elements: Range<Int>, of index: Int) {
        var worst: ElementResult?
        for element in elements {
            assert(self.progress.positions[element] == StageGraph.end, "an event leaves the graph at its end")
            let result = batch.withEvent(at: element) { event in
                let result = ElementResult(event)
                self.report(result, event)
                return result
            }
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

    private func report(_ result: ElementResult, _ event: borrowing Event) {
        let isPlain = result.failure == nil && event.settled == nil
        guard self.interest == .all || (self.interest == .unusual && !isPlain) else { return }
        let reason = result.failure?.reason ?? self.names.reasons[Int(result.reason.index)]
        self.report(event, result.outcome, reason, result.failure)
    }
}
