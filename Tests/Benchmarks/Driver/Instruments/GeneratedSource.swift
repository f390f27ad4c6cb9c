import ComponentKit
import StageKit
import Synchronization

/// A source that makes session events itself: first one for each session, then, while told to, updates in random order.
final class GeneratedSource: EventSource {
    /// What it does once every session has had its first event.
    enum Phase: Sendable {
        /// Nothing.
        case resting
        /// Delivers updates as fast as they are taken.
        case updating
        /// Delivers 20,000 updates per second.
        case pacing
        /// Ends.
        case stopped
    }

    /// Events in a batch: the shipped pipeline's read count.
    private static let batchSize = 128
    /// Time of a batch at 20,000 updates per second.
    private static let pace: Duration = .microseconds(6400)
    /// The time between two looks at the phase while resting: a look costs some 20 us, which would be counted as CPU of
    /// the door that is measured.
    private static let nap: Duration = .milliseconds(20)

    /// The stream's name.
    let stream = "generated"
    private let sessions: UInt64
    private let state = Mutex((phase: Phase.resting, status: SourceStatus()))

    /// Makes a source of so many sessions.
    init(sessions: Int) {
        self.sessions = UInt64(sessions)
    }

    /// How the source is doing.
    var status: SourceStatus { self.state.withLock { $0.status } }
    /// Ends the run soon.
    func stop() { self.phase = .stopped }

    /// What it is to do; stopped for good once stopped.
    var phase: Phase {
        get { self.state.withLock { $0.phase } }
        set { self.state.withLock { if $0.phase != .stopped { $0.phase = newValue } } }
    }

    /// Delivers batches until stopped.
    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        let batch = EventBatch()
        var events = SessionEvents()
        var number: UInt64 = 0
        self.state.withLock { $0.status.state = .reading }
        defer { self.state.withLock { $0.status.state = .stopped } }
        var due = ContinuousClock.now
        while self.phase != .stopped {
            let isFilling = number < self.sessions
            if !isFilling {
                self.state.withLock { $0.status.isCaughtUp = true }
                if self.phase == .resting {
                    try await Task.sleep(for: Self.nap)
                    due = .now
                    continue
                }
                if self.phase == .pacing {
                    due += Self.pace
                    try await Task.sleep(until: due, clock: .continuous)
                }
            }
            batch.removeAll()
            for _ in 0..<Self.batchSize where number < self.sessions || !isFilling {
                let session = isFilling ? number : SessionEvents.mix(number) % self.sessions
                number += 1
                events.append(session: session, id: EntryID(milliseconds: number, sequence: 0), to: batch)
            }
            try await deliver(batch)
        }
    }
}

/// A source that delivers one batch again and again and measures the CPU it takes: no cost but that of the graph.
final class RepeatingSource: EventSource {
    /// The stream's name.
    let stream = "repeating"
    private let batches: Int
    private let size: Int
    private let fields: [(name: [UInt8], value: [UInt8])]?
    private let taken = Mutex(0.0)

    /// Delivers a batch of `size` events `batches` times: entries with these fields, or session events.
    init(batches: Int, size: Int, fields: [(name: [UInt8], value: [UInt8])]? = nil) {
        self.batches = batches
        self.size = size
        self.fields = fields
    }

    /// How the source is doing.
    var status: SourceStatus { SourceStatus() }
    /// Ends the run soon.
    func stop() {}

    /// Nanoseconds of CPU an event, 0 before the end.
    var nanosecondsPerEvent: Double { self.taken.withLock { $0 } }

    /// Delivers batches until stopped.
    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        let batch = EventBatch()
        var events = SessionEvents()
        for index in 0..<self.size {
            let id = EntryID(milliseconds: UInt64(index + 1), sequence: 0)
            if let fields = self.fields {
                batch.append(id: id, fields: fields)
            } else {
                events.append(session: UInt64(index), id: id, to: batch)
            }
        }
        for _ in 0..<self.batches / 10 { try await deliver(batch) }  // warm up
        let start = Clocks.ownCPU
        for _ in 0..<self.batches { try await deliver(batch) }
        let nanoseconds = Double(Clocks.ownCPU - start) / Double(self.batches * self.size)
        self.taken.withLock { $0 = nanoseconds }
    }
}
