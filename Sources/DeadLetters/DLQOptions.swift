import ArgumentParser
import CommandSupport
import ComponentKit
import DeadLetterStage
import DecodeStage
import FieldRules
import PipelineEngine
import RedisClient
import StageKit

/// Options of the subcommands for dead letters.
struct DLQOptions: ParsableArguments {
    @Option(help: "Pipeline file with the redis section and the dead_letter stage.")
    var file = "pipeline.yaml"

    @Option(help: "Dead-letter stream; default: that of the file's dead_letter stage.")
    var stream: String?

    @Option(help: "Output format: text, or json with one object per line.")
    var format: OutputFormat = .text

    @OptionGroup var pipeline: PipelineOptions

    /// Reads the file, connects, and passes the dead-letter stream to `body`.
    func withDeadLetters(_ body: (DeadLetterStream) async throws -> Void) async throws {
        try await CommandErrors.reported {
            let pipeline = try self.pipeline.pipeline(self.file)
            var settings = try pipeline.section("redis", RedisSettings.type).used(for: "dlq")
            settings.clientName.pipeline = pipeline.name
            let source = pipeline.source
            try await DeadLetterStream.with(
                settings, stream: try self.deadLetterStream(of: pipeline),
                targets: source.streams,
                hiding: DecodeStage.secretRawFields(of: pipeline), body)
        }
    }

    /// Returns the dead-letter stream: the given one, or the one that the file's stages and rules write to.
    private func deadLetterStream(of pipeline: Pipeline) throws -> String {
        if let stream = self.stream { return stream }
        let streams = DeadLetterStage.streams(of: pipeline)
        guard let first = streams.first else {
            throw ValidationError("\(self.file) has no dead_letter stage: name the stream with --stream")
        }
        guard streams.count == 1 else {
            throw ValidationError(
                "\(self.file) has several dead-letter streams (\(streams.joined(separator: ", "))): choose one with "
                    + "--stream"
            )
        }
        return first
    }
}

/// The id of a dead-letter entry on the command line: `1700000000000-0`.
struct DeadLetterID: ExpressibleByArgument {
    /// The id.
    let id: EntryID

    init?(argument: String) {
        guard let id = EntryID(argument) else { return nil }
        self.id = id
    }
}

extension DecodeStage {
    /// The fields of entries whose values must not be shown: those that the file declares secret, and those that
    /// contain a JSON object with a secret member.
    static func secretRawFields(of pipeline: Pipeline) -> Set<String> {
        var names = pipeline.graph.secretFields
        for node in pipeline.settings(ofStages: self.declaration.name) {
            var issues = SettingIssues()
            guard let settings = self.declaration.settings.decode(node, &issues), let json = settings.json else {
                continue
            }
            if settings.fields.contains(where: \.value.isSecret) { names.insert(json) }
        }
        return names
    }
}
