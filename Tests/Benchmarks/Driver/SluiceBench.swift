import ArgumentParser
import Dispatch
import Synchronization

/// The bench: Sluice beside what it is measured against.
@main
struct SluiceBench: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "SluiceBench", abstract: "Measures Sluice beside its yardsticks.",
        subcommands: [
            RunCommand.self, ProfileCommand.self, ThresholdsCommand.self, SoakCommand.self, ChildCommand.self,
        ],
        defaultSubcommand: RunCommand.self)
}

/// What runs in a process of its own, so that memory and CPU are those of the thing measured alone.
struct ChildCommand: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "child", abstract: "One measurement, in this process; prints JSON.",
        subcommands: [
            BareReaderChild.self, DrainChild.self, GroupChild.self, LatencyChild.self, LookupsChild.self,
            MemoryChild.self, OverheadChild.self, ExpressionChild.self, ServeChild.self, DoorChild.self,
            SharedChild.self, SharedReaderChild.self, SharedStoreChild.self, StartUpChild.self,
        ])
}

/// Waits for asynchronous work on the main thread.
///
/// An asynchronous `main` would leave the main thread to libdispatch, which valgrind 3.19 does not survive, and would
/// run commands on a thread that blocks signals, which programs started from it inherit.
enum MainThread {
    /// Runs `body` to its end; what it throws is thrown here.
    static func run(_ body: @escaping @Sendable () async throws -> Void) throws {
        let done = DispatchSemaphore(value: 0)
        let failure = Mutex<(any Error)?>(nil)
        // The one unstructured task: it ends before this call returns.
        Task.detached {
            do { try await body() } catch { failure.withLock { $0 = error } }
            done.signal()
        }
        done.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
