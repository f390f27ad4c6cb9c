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
}

/// Looks up sessions in this process and from another one, beside a writer at 20,000 updates per second.
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
    /// The directory of the shared file.
    @Option(help: "The directory of the shared file.") var directory = "/dev/shm"

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    /// All fields of a session, as lookups in the process see them.
    private static let fields = "[status, user_id, client_public_key, revoked_at_ms, device_session_id]"

    private func measure() async throws {
        let path = "\(self.directory)/sluice-bench-\(ProcessInfo.processInfo.processIdentifier)"
        let filled = try FilledPipeline(
            sessions: self.sessions, self.file,
            setting: [
                "stores.sessions.memory.conditions={ active: { status: active } }",
                "stores.sessions.memory.share={ path: \(path), fields: \(Self.fields) }",
            ])
        let (sessions, lookups, rounds) = (self.sessions, self.lookups, self.rounds)
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        try await filled.run {
            var found: [SharedFigures] = []
            // With a limit, as in the shipped pipeline: both kinds of lookup read the clock.
            filled.store.freshness?.setLimit(.seconds(3600))
            filled.store.freshness?.prove(at: .now)
            filled.source.phase = .pacing
            for round in 0..<rounds {
                let keys = LookupKeys(sessions: sessions, seed: UInt64(round))
                let inProcess = await withCheckedContinuation { continuation in
                    Thread { continuation.resume(returning: keys.ask(filled.store, lookups)) }.start()
                }
                let output = try ChildProcess.run(
                    own,
                    [
                        "child", "shared-reader", path, "--sessions", "\(sessions)", "--lookups", "\(lookups)",
                        "--seed",
                        "\(round)",
                    ])
                found.append(
                    SharedFigures(inProcess: inProcess, library: try JSONDecoder().decode(Double.self, from: output)))
            }
            try ChildOutput.write(found)
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
