import DeadLetterStage
import DeadLetters
import LookupStage
import PipelineEngine
import PublishStage
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

    /// Creates a need for a command of a store: the server is asked about it, and it is not tried.
    private init(_ command: RESPCommand, substitute: String? = nil) {
        self.name = String(decoding: command.arguments[0], as: UTF8.self)
        self.right = self.name.lowercased()
        self.command = command
        self.isHarmless = false
        self.substitute = substitute
    }

    /// Returns the commands that a `redis` store sends to its server.
    static func all(of store: RedisStore) -> [CommandNeed] {
        let commands = store.commands
        return commands.always.map { CommandNeed($0) }
            + commands.emptying.map {
                CommandNeed($0, substitute: "the store cannot be emptied after a gap, and the run ends")
            }
            + commands.heartbeat.map {
                CommandNeed($0, substitute: "no heartbeat shows gateways that the store is up to date")
            }
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
        var needs: [CommandNeed] = []
        if let source = pipeline.source as? RedisStreamSource {
            let streams = source.streams
            needs += streams.flatMap { stream in
                self.reading(source.streamSettings, stream, key: streams.count > 1 ? stream : nil)
            }
            if case .keys(let keys) = source.streamSettings.bootstrap { needs += self.filling(keys) }
            if case .back = source.streamSettings.start { needs.append(CommandNeed("TIME", [], isHarmless: true)) }
        }
        switch revocations?.target {
        case .channel(let channel): needs.append(self.publishing(to: channel))
        case .stream(let key, _): needs.append(self.adding(to: key))
        case nil: break
        }
        return needs + self.messages(of: pipeline) + self.hashes(of: pipeline)
    }

    /// The commands that read a stream, by a single worker or as a worker of a group.
    private static func reading(_ settings: RedisStreamSettings, _ stream: String, key: String?) -> [CommandNeed] {
        let withoutLook = settings.onGap == .goOn ? "lost entries are not detected" : nil
        let alternative = "or set on_gap: continue, which does not detect lost entries"
        let look = CommandNeed(
            "XINFO STREAM", [stream], isHarmless: true, key: key, substitute: withoutLook, alternative: alternative)
        if let group = settings.group {
            let others = CommandNeed(
                "XINFO GROUPS", [stream], isHarmless: true, substitute: withoutLook, alternative: alternative)
            return [look, others] + self.sharing(group, stream)
        }
        return [
            CommandNeed("XREAD", ["COUNT", 1, "STREAMS", stream, "0-0"], isHarmless: true, key: key), look,
            CommandNeed("XREVRANGE", [stream, "+", "-", "COUNT", 1], isHarmless: true, key: key),
        ]
    }

    /// The commands of a worker in a group, except those that look for gaps. All of them except the checks change something, so they are not tried; the
    /// server is asked about them.
    private static func sharing(_ group: GroupSettings, _ stream: String) -> [CommandNeed] {
        let (name, consumer) = (group.name, group.consumer ?? "worker")
        let removal = CommandNeed(
            "XINFO CONSUMERS", [stream, name], isHarmless: true,
            substitute: "consumers of workers that no longer exist are not removed from the group")
        return (group.removeConsumersAfter == nil ? [] : [removal]) + [
            CommandNeed("XPENDING", [stream, name], isHarmless: true),
            CommandNeed("CLIENT ID", [], isHarmless: true),
            CommandNeed("XGROUP CREATE", [stream, name, "$", "MKSTREAM"], isHarmless: false),
            CommandNeed(
                "XREADGROUP", ["GROUP", name, consumer, "COUNT", 1, "STREAMS", stream, ">"], isHarmless: false),
            CommandNeed("XACK", [stream, name, "0-1"], isHarmless: false),
            CommandNeed("XCLAIM", [stream, name, consumer, 0, "0-1", "JUSTID"], isHarmless: false),
            CommandNeed("XAUTOCLAIM", [stream, name, consumer, 0, "0-0", "COUNT", 1], isHarmless: false),
            CommandNeed("XGROUP DELCONSUMER", [stream, name, consumer], isHarmless: false),
            CommandNeed("CLIENT UNBLOCK", [0], isHarmless: false),
        ]
    }

    /// The commands that fill stores from keys. The pattern itself stands for a key: a key rule in the user's ACL
    /// matches it like the keys.
    private static func filling(_ keys: KeyBootstrap) -> [CommandNeed] {
        [
            CommandNeed("SCAN", ["0", "MATCH", keys.match, "COUNT", 1], isHarmless: true),
            CommandNeed(keys.form == .hash ? "HGETALL" : "GET", [keys.match], isHarmless: false),
        ]
    }

    /// The commands of stages and failure rules, each target once. A pattern stands for the names that contain fields, as
    /// in `filling`.
    private static func messages(of pipeline: Pipeline) -> [CommandNeed] {
        var issues = SettingIssues()
        let published = pipeline.settings(ofStages: PublishStage.declaration.name).compactMap {
            PublishStage.declaration.settings.decode($0, &issues)?.target
        }
        let channels = Set(published.compactMap { if case .channel(let name) = $0 { name.key } else { nil } })
        let streams = Set(published.compactMap { if case .stream(let name, _) = $0 { name.key } else { nil } })
            .union(DeadLetterStage.streams(of: pipeline))
        return channels.sorted().map(self.publishing) + streams.sorted().map(self.adding)
    }

    /// The commands of stages that look up hashes, each key once. A pattern stands for the keys that contain fields.
    private static func hashes(of pipeline: Pipeline) -> [CommandNeed] {
        var issues = SettingIssues()
        let keys = pipeline.settings(ofStages: LookupStage.declaration.name).compactMap { node -> String? in
            let settings = LookupStage.declaration.settings.decode(node, &issues)
            guard case .hash(let key)? = settings?.place else { return nil }
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
