import ComponentKit
import DeadLetterStage
import DeadLetters
import LookupStage
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import StageKit

/// A command that a worker sends while it runs; `sluice check` tries it, or asks the server whether it is permitted.
struct CommandNeed {
    /// The name in messages: the command, and its key if there are several.
    var name: String
    /// The permission's name in `ACL SETUSER`: `xread`, `xinfo|stream`.
    var right: String
    /// The command.
    var command: RESPCommand
    /// Whether sending the command changes nothing.
    var isHarmless: Bool
    /// The worker's behaviour without the command, or `nil` if it is required.
    var substitute: String?
    /// The change to the file that makes the command unnecessary, or `nil` if there is none.
    var alternative: String?

    /// Creates a need for a command of one or two words, such as `XINFO STREAM`; `key` is given if there are several.
    init(
        _ words: String, _ arguments: [any RESPArgument], isHarmless: Bool, key: String? = nil,
        substitute: String? = nil, alternative: String? = nil
    ) {
        self.alternative = alternative
        self.name = key.map { "\(words) \($0)" } ?? words
        self.right = words.lowercased().replacing(" ", with: "|")
        let parts = words.split(separator: " ").map(String.init)
        self.command = RESPCommand(
            parts[0], arguments: parts.dropFirst().map(\.respBytes) + arguments.map(\.respBytes))
        self.isHarmless = isHarmless
        self.substitute = substitute
    }

    /// Creates a need for a command that a component has declared.
    init(_ command: ServerCommand) {
        self.init(
            command.words, command.arguments.map { $0 }, isHarmless: command.isHarmless, key: command.key,
            substitute: command.substitute, alternative: command.alternative)
    }

    /// Returns the commands that name each connection. Sending them again changes nothing.
    static func naming(_ name: ClientName) -> [CommandNeed] {
        // CLIENT SETINFO is newer than most servers, and nothing depends on it.
        name.commands.prefix(1).map { command in
            let words = command.arguments.prefix(2).map { String(decoding: $0, as: UTF8.self) }
            return CommandNeed(
                words.joined(separator: " "), command.arguments.dropFirst(2).map { $0 }, isHarmless: true,
                substitute: "CLIENT LIST does not show which connections are the worker's")
        }
    }

    /// Returns the commands that a pipeline sends to the server of its section `redis`; stores are checked separately.
    static func all(of pipeline: Pipeline, _ revocations: RevocationSettings?) -> [CommandNeed] {
        var needs = (pipeline.source.serverUse?.commands ?? []).map { CommandNeed($0) }
        switch revocations?.target {
        case .channel(let channel): needs.append(self.publishing(to: channel))
        case .stream(let key, _): needs.append(self.adding(to: key))
        case nil: break
        }
        return needs + self.messages(of: pipeline) + self.hashes(of: pipeline)
    }

    /// The commands of stages and failure rules, each target once. A pattern stands for the names that contain fields: a
    /// key rule in the user's ACL matches it like the names.
    private static func messages(of pipeline: Pipeline) -> [CommandNeed] {
        var channels: Set<String> = []
        var streams = Set(DeadLetterStage.streams(of: pipeline))
        for key in pipeline.outline.stages.flatMap({ $0.keys ?? [] }) {
            switch key.use {
            case .messageChannel(let name), .messageChannels(let name): channels.insert(name)
            case .messages(let name), .messageStreams(let name): streams.insert(name)
            default: break
            }
        }
        return channels.sorted().map(self.publishing) + streams.sorted().map(self.adding)
    }

    /// The commands of stages that look up hashes, each key once. A pattern stands for the keys that contain fields.
    private static func hashes(of pipeline: Pipeline) -> [CommandNeed] {
        var issues = SettingIssues()
        let keys = pipeline.settings(ofStages: LookupStage.declaration.name).compactMap { node -> String? in
            let settings = LookupStage.declaration.settings.decode(node, &issues)
            guard case .hash(let key)? = settings?.origin else { return nil }
            return key.key
        }
        return Set(keys).sorted().map { CommandNeed("HMGET", [$0, "field"], isHarmless: false, key: $0) }
    }

    private static func publishing(to channel: String) -> CommandNeed {
        CommandNeed("PUBLISH", [channel, "x"], isHarmless: false, key: channel)
    }

    private static func adding(to stream: String) -> CommandNeed {
        CommandNeed("XADD", [stream, "*", "key", "x"], isHarmless: false, key: stream)
    }
}

extension Template {
    /// The name of a stream or channel, or the pattern of all names if it contains fields.
    fileprivate var key: String { self.literal ?? self.pattern }
}
