import ArgumentParser
import CSluiceLookup
import ComponentKit
import Foundation
import SnapshotStores

/// Nanoseconds of a lookup in a round.
struct SharedFigures: Codable, Equatable, Sendable {
    /// In the process of the worker, with `ask`.
    var inProcess: Double
    /// In another process, with `sluice_lookup_ask`.
    var library: Double
    /// The same by LuaJIT's FFI, or `nil` if it is not installed.
    var luaJIT: Double?
}

/// A filled store in a shared file.
struct SharedPipeline {
    /// All fields of a session, as lookups in the process see them.
    private static let fields = "[status, user_id, client_public_key, revoked_at_ms, device_session_id]"

    /// The pipeline.
    let filled: FilledPipeline

    /// Creates a pipeline whose store is shared at `path`; only its user may write the directory of the path.
    init(sessions: Int, _ file: PipelineArguments, path: String) throws {
        self.filled = try FilledPipeline(
            sessions: sessions, file,
            setting: [
                "stores.sessions.memory.conditions={ active: { status: active } }",
                "stores.sessions.memory.share={ path: \(path), fields: \(Self.fields) }",
            ])
    }

    /// Fills the store and calls `body` beside a writer at 20,000 updates per second.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let filled = self.filled
        try await filled.run {
            // With a limit, as in the shipped pipeline: both kinds of lookup read the clock.
            filled.store.freshness?.setLimit(.seconds(3600))
            filled.store.freshness?.prove(at: .now)
            filled.source.phase = .pacing
            try await body()
        }
    }
}

/// Looks up sessions in this process and from other ones, beside a writer at 20,000 updates per second.
struct SharedChild: ParsableCommand {
    /// The command-line configuration.
    static let configuration = CommandConfiguration(
        commandName: "shared", abstract: "Look up sessions in shared memory, beside a writer.")

    /// The pipeline.
    @OptionGroup var file: PipelineArguments
    /// Sessions in the store.
    @Option(help: "Sessions in the store.") var sessions = 1_000_000
    /// Lookups in each round.
    @Option(help: "Lookups in each round.") var lookups = 4_000_000
    /// Rounds.
    @Option(help: "Rounds.") var rounds = 5
    /// The shared file, in a directory that is created.
    @Option(help: "The shared file, in a directory that is created.") var path: String
    /// The program that runs Lua scripts, or `nil` if LuaJIT is not measured.
    @Option(name: .customLong("luajit"), help: "The program that runs Lua scripts.") var luaJIT: String?
    /// The library of LuaJIT.
    @Option(name: .customLong("luajit-library"), help: "The library of LuaJIT.") var luaJITLibrary = ""
    /// The script that looks up sessions.
    @Option(help: "The script that looks up sessions.") var script = ""
    /// The C library.
    @Option(help: "The C library.") var library = ""

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let command = self
        let shared = try SharedPipeline(sessions: self.sessions, self.file, path: self.path)
        try await shared.run {
            var found: [SharedFigures] = []
            for round in 0..<command.rounds {
                let keys = LookupKeys(sessions: command.sessions, seed: UInt64(round))
                // Threads of their own: the pool's are as many as there are cores, and the writer needs one.
                found.append(try await Self.onThread { try command.round(round, keys, shared.filled.store) })
            }
            try ChildOutput.write(found)
        }
    }

    private static func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result { try body() }) }.start()
        }
    }

    private func round(_ round: Int, _ keys: LookupKeys, _ store: MemoryStore) throws -> SharedFigures {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let reader = [
            "child", "shared-reader", self.path, "--sessions", "\(self.sessions)", "--lookups", "\(self.lookups)",
            "--seed", "\(round)",
        ]
        let inProcess = keys.ask(store, self.lookups)
        let output = try ChildProcess.run(own, reader, limit: SharedMemoryBench.roundLimit)
        var figures = SharedFigures(inProcess: inProcess, library: try JSONDecoder().decode(Double.self, from: output))
        guard let luaJIT else { return figures }
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("sluice-bench-keys-\(ProcessInfo.processInfo.processIdentifier)")
        try Data(keys.bytes).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let lua = try ChildProcess.run(
            luaJIT,
            [
                self.luaJITLibrary, self.script, self.library, self.path, file.path, "\(SessionEvents.keyLength)",
                "\(self.lookups)",
            ], limit: SharedMemoryBench.roundLimit)
        figures.luaJIT = try JSONDecoder().decode(Double.self, from: lua)
        return figures
    }
}

/// Shares a filled store beside a writer at 20,000 updates per second, until standard input ends.
struct SharedStoreChild: ParsableCommand {
    /// The command-line configuration.
    static let configuration = CommandConfiguration(
        commandName: "shared-store", abstract: "Share a filled store, beside a writer, until standard input ends.")

    /// Keys that a load tool may ask for.
    private static let keyCount = 10_000

    /// The pipeline.
    @OptionGroup var file: PipelineArguments
    /// Sessions in the store.
    @Option(help: "Sessions in the store.") var sessions = 1_000_000
    /// The shared file, in a directory that is created.
    @Option(help: "The shared file, in a directory that is created.") var path: String
    /// Where keys go, one per line.
    @Option(help: "Where keys of sessions go, one per line, drawn at random.") var keys: String

    /// Shares the store.
    func run() throws {
        let command = self
        try MainThread.run { try await command.share() }
    }

    private func share() async throws {
        let (path, shared) = (self.path, try SharedPipeline(sessions: self.sessions, self.file, path: self.path))
        let keys = LookupKeys(sessions: self.sessions, seed: 1).lines(Self.keyCount)
        try Data(keys).write(to: URL(fileURLWithPath: self.keys))
        try await shared.run {
            try ChildOutput.write(ServeFigures(address: path, sessions: shared.filled.store.count))
            await ServeChild.endOfInput()
        }
    }
}

/// Looks up sessions in the file of a shared store.
struct SharedReaderChild: ParsableCommand {
    /// The command-line configuration.
    static let configuration = CommandConfiguration(
        commandName: "shared-reader", abstract: "Look up sessions in the file of a shared store.")

    /// The file.
    @Argument(help: "The file.") var path: String
    /// Sessions in the store.
    @Option(help: "Sessions in the store.") var sessions = 1_000_000
    /// Lookups.
    @Option(help: "Lookups.") var lookups = 4_000_000
    /// The seed of the keys.
    @Option(help: "The seed of the keys.") var seed: UInt64 = 0

    /// Measures and prints.
    func run() throws {
        let lookup = try SharedLookup(self.path)
        let keys = LookupKeys(sessions: self.sessions, seed: self.seed)
        // A first round, in which the pages of the file are mapped.
        _ = keys.ask(lookup, self.lookups / 2)
        try ChildOutput.write(keys.ask(lookup, self.lookups))
    }
}

/// A handle of the C library; the handle is freed with this object.
@safe
final class SharedLookup {
    private let handle: OpaquePointer
    private let active: Int32

    /// Opens the file of a shared store.
    init(_ path: String) throws {
        guard let handle = unsafe sluice_lookup_open(path) else { throw ToolFailure(description: "no memory") }
        unsafe self.handle = handle
        self.active = unsafe sluice_lookup_condition(handle, "active")
    }

    deinit {
        unsafe sluice_lookup_close(self.handle)
    }

    /// Whether a session is active.
    @inline(__always)
    func isAllowed(_ key: Span<UInt8>) -> Bool {
        unsafe key.withUnsafeBytes { bytes in
            unsafe sluice_lookup_ask(self.handle, bytes.baseAddress, bytes.count, self.active) == SLUICE_ALLOWED
        }
    }
}

extension LookupKeys {
    /// Asks the C library for each key; returns nanoseconds per lookup.
    func ask(_ lookup: SharedLookup, _ lookups: Int) -> Double {
        let keys = self.bytes.span
        var allowed = 0
        let start = Clocks.monotonic
        for index in 0..<lookups {
            let offset = (index & (Self.total - 1)) * SessionEvents.keyLength
            if lookup.isAllowed(keys.extracting(offset..<offset + SessionEvents.keyLength)) { allowed += 1 }
        }
        let end = Clocks.monotonic
        // A writer that the system suspends in the middle of a change makes a few lookups wait in vain.
        precondition(allowed >= lookups - lookups / 1000, "every session is there and active")
        return Double(end - start) / Double(lookups)
    }

    /// Asks the store for each key whether its session is active; returns nanoseconds per lookup.
    func ask(_ store: MemoryStore, _ lookups: Int) -> Double {
        guard let isActive = store.condition(named: "active") else { return 0 }
        let keys = self.bytes.span
        var active = 0
        let start = Clocks.monotonic
        for index in 0..<lookups {
            let offset = (index & (Self.total - 1)) * SessionEvents.keyLength
            if store.ask(keys.extracting(offset..<offset + SessionEvents.keyLength), isActive) == .yes { active += 1 }
        }
        let end = Clocks.monotonic
        precondition(active == lookups, "every session is there and active")
        return Double(end - start) / Double(lookups)
    }
}
