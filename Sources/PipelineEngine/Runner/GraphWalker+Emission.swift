import StageKit

// Graphs with stages that add events (`EmittingStage`) are processed in passes. Added events are appended to the batch,
// and `PassProgress.order` has the place of each in the stream order: before the event during which it was added.
extension GraphWalker {
    /// Whether the stage of a node has events to add.
    func hasEmissions(at node: Int) -> Bool {
        self.emitters.contains { $0.node == node && $0.stage.hasEmissions }
    }

    /// As `walk(_:pass:)`, in stream order, which includes the events that stages add.
    mutating func walkEmitting(_ batch: EventBatch, pass: Int) -> Stop? {
        while self.progress.cursor < self.progress.order.count {
            let index = self.progress.order[self.progress.cursor]
            if pass == 0, index == self.progress.headEnd { self.walkHead(batch, upTo: self.progress.entryCount) }
            if let stop = self.walk(batch, index, pass) { return stop }
            // The added events come first, then the event during which they were added.
            if !self.takeEmissions(batch) { self.progress.cursor += 1 }
        }
        self.progress.cursor = 0
        return nil
    }

    /// Reports to the stages that a silent stream has reached a time; `batch` has no entries.
    mutating func advance(_ batch: EventBatch, to milliseconds: UInt64) {
        for emitter in self.emitters { emitter.stage.advance(to: milliseconds) }
        _ = self.takeEmissions(batch)
    }

    /// Appends the events that stages have added to the batch; returns whether there were any.
    private mutating func takeEmissions(_ batch: EventBatch) -> Bool {
        var added: [Int] = []
        for emitter in self.emitters where emitter.stage.hasEmissions {
            let events = EmittedEvents(batch)
            emitter.stage.emit(into: events)
            let next = self.nodes.next(emitter.node)
            self.progress.positions.append(contentsOf: repeatElement(next, count: events.indices.count))
            self.counters.stages[emitter.node].emitted += UInt64(events.indices.count)
            added += events.indices
        }
        self.progress.order.insert(contentsOf: added, at: self.progress.cursor)
        return !added.isEmpty
    }

    /// Settles all events of the batch in stream order, then removes those that stages have added.
    mutating func settleEmitting(_ batch: EventBatch) {
        for index in self.progress.order { self.settle(batch, at: index) }
        self.counters.read += UInt64(self.progress.entryCount)
        self.counters.batches += 1
        batch.removeEmitted(from: self.progress.entryCount)
    }
}
