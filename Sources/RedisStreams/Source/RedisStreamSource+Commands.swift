public import ComponentKit
import RESP

// The commands of a source, for `sluice check`.
extension RedisStreamSource {
    /// The name of the consumer group.
    public var groupName: String? { self.group?.name }

    /// Whether the settings say `start: resume`.
    public var startsAtCheckpoint: Bool { self.streamSettings.start == .resume }

    /// The streams, and the commands that read them and fill stores from keys.
    public var serverUse: ServerUse? {
        let streams = self.streams
        var commands = streams.flatMap { self.reading($0, key: streams.count > 1 ? $0 : nil) }
        if case .keys(let keys) = self.streamSettings.bootstrap { commands += Self.filling(keys) }
        if case .back = self.streamSettings.start { commands.append(ServerCommand("TIME", [], isHarmless: true)) }
        return ServerUse(streams: streams, commands: commands)
    }

    /// The commands that read a stream, by a single worker or as a worker of a group.
    private func reading(_ stream: String, key: String?) -> [ServerCommand] {
        let withoutLook = self.streamSettings.onGap == .goOn ? "lost entries are not detected" : nil
        let alternative = "or set on_gap: continue, which does not detect lost entries"
        let look = Self.command(
            "XINFO STREAM", [stream], isHarmless: true, key: key, substitute: withoutLook, alternative: alternative)
        if let group = self.streamSettings.group {
            let others = Self.command(
                "XINFO GROUPS", [stream], isHarmless: true, substitute: withoutLook, alternative: alternative)
            return [look, others] + Self.sharing(group, stream)
        }
        return [
            Self.command("XREAD", ["COUNT", 1, "STREAMS", stream, "0-0"], isHarmless: true, key: key), look,
            Self.command("XREVRANGE", [stream, "+", "-", "COUNT", 1], isHarmless: true, key: key),
        ]
    }

    /// The commands of a worker in a group, except those that look for gaps. All of them except the checks change
    /// something, so they are not tried; the server is asked about them.
    private static func sharing(_ group: GroupSettings, _ stream: String) -> [ServerCommand] {
        let (name, consumer) = (group.name, group.consumer ?? "worker")
        let removal = self.command(
            "XINFO CONSUMERS", [stream, name], isHarmless: true,
            substitute: "consumers of workers that no longer exist are not removed from the group")
        return (group.removeConsumersAfter == nil ? [] : [removal]) + [
            self.command("XPENDING", [stream, name], isHarmless: true),
            self.command("CLIENT ID", [], isHarmless: true),
            self.command("XGROUP CREATE", [stream, name, "$", "MKSTREAM"], isHarmless: false),
            self.command(
                "XREADGROUP", ["GROUP", name, consumer, "COUNT", 1, "STREAMS", stream, ">"], isHarmless: false),
            self.command("XACK", [stream, name, "0-1"], isHarmless: false),
            self.command("XCLAIM", [stream, name, consumer, 0, "0-1", "JUSTID"], isHarmless: false),
            self.command("XAUTOCLAIM", [stream, name, consumer, 0, "0-0", "COUNT", 1], isHarmless: false),
            self.command("XGROUP DELCONSUMER", [stream, name, consumer], isHarmless: false),
            self.command("CLIENT UNBLOCK", [0], isHarmless: false),
        ]
    }

    /// The commands that fill stores from keys. The pattern itself stands for a key: a key rule in the user's ACL
    /// matches it like the keys.
    private static func filling(_ keys: KeyBootstrap) -> [ServerCommand] {
        [
            self.command("SCAN", ["0", "MATCH", keys.match, "COUNT", 1], isHarmless: true),
            self.command(keys.form == .hash ? "HGETALL" : "GET", [keys.match], isHarmless: false),
        ]
    }

    private static func command(
        _ words: String, _ arguments: [any RESPArgument], isHarmless: Bool, key: String? = nil,
        substitute: String? = nil, alternative: String? = nil
    ) -> ServerCommand {
        ServerCommand(
            words, arguments.map(\.respBytes), isHarmless: isHarmless, key: key, substitute: substitute,
            alternative: alternative)
    }
}
