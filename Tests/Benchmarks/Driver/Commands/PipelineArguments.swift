import ArgumentParser
import Foundation
import PipelineEngine

/// Which file a child runs and what is different from it.
struct PipelineArguments: ParsableArguments {
    /// The file.
    @Option(help: "The pipeline file.")
    var pipeline = "pipeline.yaml"

    /// Values given beside it.
    @Option(name: .customLong("set"), help: "A value in place of the file's: PATH=VALUE.")
    var overrides: [String] = []

    /// The overrides, those of the child first.
    func all(_ own: [String]) throws -> [Override] {
        try (own + self.overrides).map { text in
            guard let override = Override(text) else { throw ValidationError("not PATH=VALUE: \(text)") }
            return override
        }
    }
}

/// Where a child reads a stream.
struct StreamArguments: ParsableArguments {
    /// The server.
    @Option(help: "unix:/path or host:port.")
    var address: String

    /// The stream's key.
    @Option(help: "The stream.")
    var stream = "sluice:bench"

    /// Entries in a reply.
    @Option(help: "XREAD's COUNT; the file's where it is left out.")
    var count: Int?

    /// When to stop.
    @Option(help: "Stop after so many events.")
    var events: Int

    /// The same as values of the pipeline file; reading begins at the stream's beginning.
    var overrides: [String] {
        [
            "redis.address=\(self.address)", "source.redis_stream.stream=\(self.stream)",
            "source.redis_stream.start=beginning",
        ]
            + (self.count.map {
                ["source.redis_stream.read_count=\($0)", "source.redis_stream.catch_up_count=\($0)"]
            } ?? [])
    }
}

/// Which stream a child follows and where it says how long each entry took.
struct LatencyArguments: ParsableArguments {
    /// More entries than asked for may come with the last of them.
    private static let spare = 65_536

    /// Where to read.
    @OptionGroup var stream: StreamArguments
    /// Where latencies go: 64-bit nanoseconds in the machine's order.
    @Option(help: "Where latencies go: 64-bit nanoseconds in the machine's order.")
    var latency: String

    /// A recorder with room for all of them.
    func makeRecorder() -> LatencyRecorder { LatencyRecorder(capacity: self.stream.events + Self.spare) }
}

/// Writes what a child has found as one line of JSON.
enum ChildOutput {
    /// Writes it to standard output.
    static func write(_ value: some Encodable) throws {
        FileHandle.standardOutput.write(try JSONEncoder().encode(value) + Data("\n".utf8))
    }
}
