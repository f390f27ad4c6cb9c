import ArgumentParser
import ComponentKit
import Foundation
import PipelineEngine
import SnapshotStores
import StageKit
import Worker

/// What look-ups cost in one mode.
struct LookupFigures: Codable, Equatable, Sendable {
    /// Threads that look up.
    var readers: Int
    /// Whether the pipeline updates sessions meanwhile.
    var writer: Bool
    /// Nanoseconds a look-up by the wall, the mean of the threads.
    var wallNanoseconds: Double
    /// Nanoseconds of the thread's CPU a look-up, the mean of the threads.
    var cpuNanoseconds: Double
    /// Updates a second meanwhile.
    var updatesPerSecond: Double
}

/// A pipeline in this process that is filled with sessions and then rests or updates them.
struct FilledPipeline {
    /// The shipped pipeline, its source replaced.
    let pipeline: Pipeline
    /// What it reads.
    let source: GeneratedSource
    /// What it fills.
    let store: MemoryStore

    /// Makes it; it is empty until `run`.
    ///
    /// - Parameters:
    ///   - sessions: How many sessions it will hold.
    ///   - file: The pipeline file.
    ///   - more: Further overrides of values in the file.
    init(sessions: Int, _ file: PipelineArguments, setting more: [String] = []) throws {
        let source = GeneratedSource(sessions: sessions)
        var catalogue = Catalogue.standard
        BenchPipeline.add(source, named: "generated", to: &catalogue)
        let pipeline = try Pipeline(
            contentsOf: file.pipeline, environment: [:],
            overrides: file.all(
                ["source={ generated: here }", "stores.sessions.memory.max_entries=100000000"] + more),
            catalogue: catalogue, services: BenchPipeline.services)
        guard let store = pipeline.stores["sessions"] as? MemoryStore else {
            throw ToolFailure(description: "the pipeline file has no memory store named sessions")
        }
        self.pipeline = pipeline
        self.source = source
        self.store = store
    }

    /// Fills the store, runs `body` beside the resting pipeline, and stops the pipeline.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await BenchPipeline.run(self.pipeline, beside: body)
    }
}

/// Looks sessions up in this process.
struct LookupsChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "lookups", abstract: "Look sessions up at random, alone and beside a writer.")

    /// What to run.
    @OptionGroup var file: PipelineArguments
    /// Sessions in the store.
    @Option(help: "Sessions in the store.") var sessions = 1_000_000
    /// Look-ups of each thread in each round.
    @Option(help: "Look-ups of each thread in each round.") var lookups = 2_000_000
    /// Rounds.
    @Option(help: "Rounds.") var rounds = 5

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let filled = try FilledPipeline(sessions: self.sessions, self.file)
        let (sessions, lookups, rounds) = (self.sessions, self.lookups, self.rounds)
        try await filled.run {
            var found: [LookupFigures] = []
            for round in 0..<rounds {
                for (readers, writer) in [(1, false), (1, true), (2, false), (2, true)] {
                    filled.source.phase = writer ? .updating : .resting
                    let before = (filled.pipeline.statistics.read, Clocks.monotonic)
                    let figures = await Self.measure(
                        filled.store, readers: readers, sessions: sessions, lookups: lookups, seed: UInt64(round))
                    let seconds = Double(Clocks.monotonic - before.1) / 1e9
                    filled.source.phase = .resting
                    found.append(
                        LookupFigures(
                            readers: readers, writer: writer,
                            wallNanoseconds: figures.map(\.wall).reduce(0, +) / Double(readers),
                            cpuNanoseconds: figures.map(\.cpu).reduce(0, +) / Double(readers),
                            updatesPerSecond: Double(filled.pipeline.statistics.read - before.0) / seconds))
                }
            }
            try ChildOutput.write(found)
        }
    }

    /// Threads of their own: the pool's are as many as there are cores, and the writer needs one.
    private static func measure(
        _ store: MemoryStore, readers: Int, sessions: Int, lookups: Int, seed: UInt64
    ) async -> [(wall: Double, cpu: Double)] {
        await withTaskGroup { group in
            for reader in 0..<readers {
                group.addTask {
                    let keys = LookupKeys(sessions: sessions, seed: seed &* 8 &+ UInt64(reader))
                    return await withCheckedContinuation { continuation in
                        Thread { continuation.resume(returning: keys.measure(store, lookups)) }.start()
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }
}

/// Keys of sessions in random order, made beforehand.
struct LookupKeys: Sendable {
    /// Keys; they are used again from the first on.
    private static let count = 1 << 20

    /// The number of different keys, a power of two.
    static var total: Int { Self.count }
    /// The bytes of all keys.
    let bytes: [UInt8]

    /// Draws keys.
    init(sessions: Int, seed: UInt64) {
        var bytes = [UInt8](repeating: 0, count: Self.count * SessionEvents.keyLength)
        for index in 0..<Self.count {
            let session = SessionEvents.mix(seed << 32 | UInt64(index)) % UInt64(sessions)
            SessionEvents.writeKey(of: session, to: &bytes, at: index * SessionEvents.keyLength)
        }
        self.bytes = bytes
    }

    /// The first keys, one per line.
    func lines(_ count: Int) -> [UInt8] {
        (0..<min(count, Self.count)).flatMap { index in
            self.bytes[index * SessionEvents.keyLength..<(index + 1) * SessionEvents.keyLength] + [UInt8(ascii: "\n")]
        }
    }

    /// Asks of each key whether its session is active; nanoseconds a look-up.
    func measure(_ store: MemoryStore, _ lookups: Int) -> (wall: Double, cpu: Double) {
        let isActive = store.condition("status", equals: "active")
        let keys = self.bytes.span
        var active = 0
        let start = (Clocks.monotonic, Clocks.threadCPU)
        for index in 0..<lookups {
            let offset = (index & (Self.count - 1)) * SessionEvents.keyLength
            let key = keys.extracting(offset..<offset + SessionEvents.keyLength)
            if store.check(key, isActive) == true { active += 1 }
        }
        let end = (Clocks.monotonic, Clocks.threadCPU)
        precondition(active == lookups, "every session is there and active")
        return (Double(end.0 - start.0) / Double(lookups), Double(end.1 - start.1) / Double(lookups))
    }
}

/// What sessions take.
struct MemoryFigures: Codable, Equatable, Sendable {
    /// Sessions held.
    var sessions: Int
    /// Bytes a session that malloc has handed out, and that the store has in use beside.
    var liveBytes: Double
    /// Bytes a session that are resident.
    var residentBytes: Double
}

/// Measures the memory of sessions.
struct MemoryChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(commandName: "memory", abstract: "Memory of each session.")

    /// What to run.
    @OptionGroup var file: PipelineArguments
    /// Sessions in the store.
    @Option(help: "Sessions in the store.") var sessions = 1_000_000

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let filled = try FilledPipeline(sessions: self.sessions, self.file)
        let before = MemoryUse.now
        try await filled.run {
            let after = MemoryUse.now
            let count = filled.store.count
            let live = after.allocated - before.allocated + filled.store.usedBytes
            try ChildOutput.write(
                MemoryFigures(
                    sessions: count, liveBytes: Double(live) / Double(count),
                    residentBytes: Double(after.resident - before.resident) / Double(count)))
        }
    }
}
