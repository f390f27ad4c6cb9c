import CoreMetrics
import StageKit

// Batches of a graph in which events wait are worked on in passes: see `PassPlan`.
extension GraphWalker {
    /// Begins a batch: every event stands at the first stage.
    mutating func begin(_ batch: EventBatch) {
        batch.prepareSlots(fieldCount: self.names.fields.count)
        self.positions.removeAll(keepingCapacity: true)
        self.positions.append(contentsOf: repeatElement(0, count: batch.count))
        for events in self.waiting { events?.removeAll() }
    }

    /// Takes every event along the nodes of one pass: to its end, to where it waits, or to a node of a later pass.
    mutating func walk(_ batch: EventBatch, pass: Int) {
        var start = 0
        while start < batch.count {
            let chunk = start..<min(start + Self.chunkSize, batch.count)
            if pass == 0 {
                self.walkHead(batch, chunk, self.counters.read + UInt64(start))
                for index in chunk { self.positions[index] = self.resume[index - start] }
            }
            for index in chunk { self.walk(batch, index, pass) }
            start = chunk.upperBound
        }
    }

    private mutating func walk(_ batch: EventBatch, _ index: Int, _ pass: Int) {
        let isSampled = Self.isSampled(self.counters.read, index)
        batch.withEvent(at: index) { event in
            var position = self.positions[index]
            while position >= 0, self.passes.passes[position] == pass {
                let node = position
                let isTimed = isSampled && self.waiting[node] == nil
                position = isTimed ? self.timedStep(&event, at: node) : self.step(&event, at: node)
                if position == StageGraph.held { self.waiting[node]?.add(index, of: batch) }
            }
            self.positions[index] = position
        }
    }

    /// Sends the events that waited at a node on their way, as its stage has decided; `took` is what its work took.
    mutating func resume(_ batch: EventBatch, at node: Int, took: Duration) {
        guard let events = self.waiting[node] else { return }
        self.timers[node].recordNanoseconds(took.nanoseconds)
        for position in 0..<events.count {
            let index = events.index(at: position)
            self.positions[index] = batch.withEvent(at: index) { event in
                self.take(events.decision(at: position), &event, at: node)
            }
        }
        events.removeAll()
    }

    /// Settles all events of the batch, in stream order.
    mutating func settle(_ batch: EventBatch) {
        for index in 0..<batch.count {
            assert(self.positions[index] == StageGraph.end, "an event leaves the graph at its end")
            batch.withEvent(at: index) { event in self.settle(event) }
        }
        self.counters.read += UInt64(batch.count)
        self.counters.batches += 1
    }
}
