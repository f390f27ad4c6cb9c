import Admin
import ArgumentParser
import Foundation
import HTTPBase
import PipelineEngine
import SnapshotStores
import StageKit

/// What a serving child tells its parent once it can be asked.
struct ServeFigures: Codable, Equatable, Sendable {
    /// Where it listens, as `127.0.0.1:port`.
    var address: String
    /// Sessions it holds.
    var sessions: Int
}

/// A filled store behind the HTTP side, until it is killed.
struct ServeChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve look-ups over HTTP from a filled store until standard input ends.")

    /// Keys that a load tool may ask for.
    private static let keyCount = 100_000

    /// What to run.
    @OptionGroup var file: PipelineArguments
    /// Sessions in the store.
    @Option(help: "Sessions in the store.") var sessions = 1_000_000
    /// Whether sessions are updated meanwhile.
    @Flag(help: "Update sessions at full speed meanwhile.") var updating = false
    /// Where keys go, one a line.
    @Option(help: "Where keys of sessions go, one a line, drawn at random.") var keys: String

    /// Serves.
    func run() throws {
        let command = self
        try MainThread.run { try await command.serve() }
    }

    private func serve() async throws {
        let filled = try FilledPipeline(sessions: self.sessions, self.file)
        let keys = LookupKeys(sessions: self.sessions, seed: 1).lines(Self.keyCount)
        try Data(keys).write(to: URL(fileURLWithPath: self.keys))
        let updating = self.updating
        let (listening, address) = AsyncStream<ListenAddress>.makeStream()
        let server = AdminServer(
            settings: AdminSettings(listen: .tcp(host: "127.0.0.1", port: 0)),
            context: AdminContext(
                stores: ["sessions": filled.store], metrics: MetricsRegistry(), readiness: { [] }, liveness: { [] }),
            logger: BenchPipeline.services.logger, onListening: { address.yield($0) })
        try await filled.run {
            filled.source.phase = updating ? .updating : .resting
            try await withThrowingTaskGroup { group in
                group.addTask { try await server.run() }
                for await address in listening {
                    try ChildOutput.write(ServeFigures(address: "\(address)", sessions: filled.store.count))
                    break
                }
                await Self.endOfInput()
                group.cancelAll()
            }
        }
    }

    /// Returns when the parent has closed its end of standard input.
    static func endOfInput() async {
        await withCheckedContinuation { continuation in
            Thread {
                _ = FileHandle.standardInput.readDataToEndOfFile()
                continuation.resume()
            }.start()
        }
    }
}
