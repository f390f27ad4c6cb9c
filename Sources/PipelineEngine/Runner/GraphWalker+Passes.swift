import ComponentKit
import CoreMetrics
import StageKit

/// The progress of a batch that is processed in passes.
struct PassProgress {
    /// The position of each event of the batch: the index of a node, or one of the constants of `StageGraph`.
    var positions: [Int] = []
    /// The number of events that are entries; the others were added by stages.
    private(set) var entryCount = 0
    /// The events of elements that have replaced another event, by the index of that event.
    private(set) var elements: [Int: Range<Int>] = [:]
    /// The events that were replaced since the last call of `reorder`.
    private var replaced: Set<Int> = []
    /// The indices of the events in stream order: those of elements before the replaced event, which goes no further, and
    /// a stage's own before the event during which they were added. Empty if the entries are all.
    private var order: [Int] = []
    /// The first event that is still to be processed in this pass.
    var cursor = 0
    /// The first event that has not been through the pure stages at the head.
    var headEnd = 0
    /// The number of attempts of the current stage on the current events, including this one.
    private(set) var attempt = 1
    /// The failure that caused the retry.
    var failure = StageFailure("")
    private var backoff: Backoff?

    /// Begins a batch of `count` events, all before the first stage.
    mutating func begin(_ count: Int) {
        (self.cursor, self.headEnd, self.entryCount) = (0, 0, count)
        self.positions.removeAll(keepingCapacity: true)
        self.positions.append(contentsOf: repeatElement(0, count: count))
        self.order.removeAll(keepingCapacity: true)
        self.elements.removeAll(keepingCapacity: true)
        self.replaced.removeAll(keepingCapacity: true)
    }

    /// The number of events to take along the nodes.
    var count: Int { self.order.isEmpty ? self.entryCount : self.order.count }

    /// The index of the event at the cursor.
    var index: Int { self.order.isEmpty ? self.cursor : self.order[self.cursor] }

    /// Lets the events of elements continue at a node in place of the event at `index`, which stays where it is. They
    /// have their place in the order after the next call of `reorder`.
    mutating func replace(_ index: Int, by elements: Range<Int>, at node: Int) {
        self.place(elements, at: node)
        self.positions[index] = StageGraph.end
        self.elements[index] = elements
        self.replaced.insert(index)
    }

    /// Lets a stage's own events begin at a node, before the event at the cursor.
    mutating func insert(_ events: Range<Int>, at node: Int) {
        self.place(events, at: node)
        if self.order.isEmpty { self.order = Array(0..<self.entryCount) }
        self.order.insert(contentsOf: events, at: self.cursor)
    }

    /// Puts the events of elements before those that they have replaced.
    mutating func reorder() {
        if self.replaced.isEmpty { return }
        let old = self.order.isEmpty ? Array(0..<self.entryCount) : self.order
        self.order.removeAll(keepingCapacity: true)
        for index in old {
            if self.replaced.contains(index), let elements = self.elements[index] {
                self.order.append(contentsOf: elements)
            }
            self.order.append(index)
        }
        self.replaced.removeAll(keepingCapacity: true)
    }

    /// Sets the position of added events. There may be events before them that are not used: those of an expansion whose
    /// stage has decided otherwise afterwards.
    private mutating func place(_ events: Range<Int>, at node: Int) {
        let missing = max(0, events.upperBound - self.positions.count)
        self.positions.append(contentsOf: repeatElement(StageGraph.end, count: missing))
        for event in events { self.positions[event] = node }
    }

    /// Counts the next attempt and returns the wait before it; `first` is the initial backoff.
    mutating func nextAttempt(_ first: Backoff) -> Duration {
        var backoff = self.backoff ?? first
        defer { self.backoff = backoff }
        self.attempt += 1
        return backoff.next()
    }

    /// Resets the attempts when the stage has finished the current events.
    mutating func endAttempts() {
        self.attempt = 1
        self.backoff = nil
    }
}

// Batches of a graph that is not immediate are processed in passes: see `PassPlan`.
extension GraphWalker {
    /// The reason why a pass stops before its end.
    enum Stop {
        /// A stage is to be retried on a failed entry, after a wait.
        case retry(EventID, StageFailure, attempt: Int, after: Duration)
        /// The run ends.
        case halt(PipelineHalt)
    }

    /// Begins a batch: every event is at the first stage.
    mutating func begin(_ batch: EventBatch) {
        batch.prepareCells(fieldCount: self.names.fields.count)
        self.progress.begin(batch.count)
        for events in self.waiting { events?.removeAll() }
    }

    /// Takes every event along the nodes of one pass: to its end, to a stage in which it waits, or to a node of a later
    /// pass.
    ///
    /// Stops at an event that ends the run or for which a stage is to be retried; the next call continues there.
    mutating func walk(_ batch: EventBatch, pass: Int) -> Stop? {
        while self.progress.cursor < self.progress.count {
            let index = self.progress.index
            if pass == 0, index == self.progress.headEnd { self.walkHead(batch, upTo: self.progress.entryCount) }
            if let stop = self.walk(batch, index, pass) { return stop }
            // The added events come first, then the event during which they were added.
            if self.emitters.isEmpty || !self.takeEmissions(batch) { self.progress.cursor += 1 }
        }
        self.progress.cursor = 0
        return nil
    }

    /// Takes the next chunk of entries through the pure stages at the head; `count` is the number of entries.
    mutating func walkHead(_ batch: EventBatch, upTo count: Int) {
        let start = self.progress.headEnd
        let end = min(start + Self.chunkSize, count)
        self.walkHead(batch, start..<end, self.counters.read + UInt64(start))
        for index in start..<end { self.progress.positions[index] = self.resume[index - start] }
        self.progress.headEnd = end
    }

    /// Takes one event along the nodes of a pass, up to a stage that has added events.
    mutating func walk(_ batch: EventBatch, _ index: Int, _ pass: Int) -> Stop? {
        let isSampled = Self.isSampled(self.counters.read, index)
        return batch.withEvent(at: index) { event in
            var position = self.progress.positions[index]
            while position >= 0, self.passes.passes[position] == pass {
                let node = position
                let isTimed = isSampled && self.waiting[node] == nil
                position = isTimed ? self.timedStep(&event, at: node) : self.step(&event, at: node)
                if position == StageGraph.retry {
                    self.progress.positions[index] = node
                    return self.retry(at: node, event.eventID)
                }
                self.progress.endAttempts()
                if position == StageGraph.held { self.waiting[node]?.add(index, of: batch) }
                if !self.emitters.isEmpty, self.hasEmissions(at: node) { break }
            }
            self.progress.positions[index] = position
            return position == StageGraph.halt ? Self.halt(event) : nil
        }
    }

    /// Resumes the events that waited at a node as its stage has decided; `took` is the duration of its work.
    ///
    /// Events for which the stage is to be retried keep waiting.
    mutating func resume(_ batch: EventBatch, at node: Int, took: Duration) -> Stop? {
        guard let events = self.waiting[node] else { return nil }
        self.timers[node].recordNanoseconds(took.nanoseconds)
        var kept: [Int] = []
        var halt: Stop?
        for position in 0..<events.count {
            let index = events.index(at: position)
            let decision = events.decision(at: position)
            if case .expand(let elements, let failures) = decision, self.nodes[node].expands {
                let stop = self.expand(batch, at: index, into: elements, failures, at: node)
                if halt == nil { halt = stop }
                continue
            }
            batch.withEvent(at: index) { event in
                let next = self.take(decision, &event, at: node)
                if next == StageGraph.retry { return kept.append(position) }
                self.progress.positions[index] = next
                if next == StageGraph.halt, halt == nil { halt = Self.halt(event) }
            }
        }
        let last = kept.last.map { position in events.withEvent(at: position) { $0.eventID } }
        events.keep(kept)
        self.progress.reorder()
        if let halt { return halt }
        // The retry is reported with the last recorded failure.
        if let last { return self.retry(at: node, last) }
        self.progress.endAttempts()
        return nil
    }

    /// Begins the next attempt.
    private mutating func retry(at node: Int, _ event: EventID) -> Stop {
        let attempt = self.progress.attempt
        let wait = self.progress.nextAttempt(self.nodes[node].arrows.retry?.backoff ?? Backoff())
        return .retry(event, self.progress.failure, attempt: attempt, after: wait)
    }

    static func halt(_ event: borrowing Event) -> Stop {
        let failure = event.failure ?? StageFailure("")
        return .halt(
            PipelineHalt(
                entry: event.id, stage: failure.stage ?? "", message: failure.message, attempts: failure.attempts,
                element: event.element))
    }

    /// Settles all events of the batch, in stream order.
    mutating func settle(_ batch: EventBatch) {
        while self.progress.cursor < self.progress.count { self.settleNext(batch) }
        self.counters.read += UInt64(self.progress.entryCount)
        self.counters.batches += 1
    }

    /// Settles the next entry of the batch, and the events before it that stages have added.
    mutating func settleEntry(_ batch: EventBatch) {
        while self.progress.cursor < self.progress.count {
            if self.settleNext(batch) < self.progress.entryCount { return }
        }
    }

    /// Settles the event at the cursor, and returns its index.
    @discardableResult
    private mutating func settleNext(_ batch: EventBatch) -> Int {
        let index = self.progress.index
        self.progress.cursor += 1
        assert(self.progress.positions[index] == StageGraph.end, "an event leaves the graph at its end")
        if !self.progress.elements.isEmpty, let elements = self.progress.elements[index] {
            self.combine(batch, elements, into: index)
        }
        batch.withEvent(at: index) { event in
            if index >= self.progress.entryCount, event.element != nil {
                self.reportElement(event)
            } else {
                self.settle(event)
            }
        }
        return index
    }
}
