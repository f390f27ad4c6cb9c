public import StageKit

extension PublishStage {
    /// The destination of messages; its name may contain fields.
    public enum Target: Sendable, Equatable {
        /// A channel, whose current subscribers receive a JSON object.
        case channel(Template)
        /// A stream, which receives an entry with the fields and keeps about `maxLength` entries, or all if it is
        /// `nil`.
        case stream(Template, maxLength: Int?)

        /// The name.
        public var name: Template {
            switch self {
            case .channel(let name), .stream(let name, _): name
            }
        }

        /// The stream or channel as a key on the server.
        var key: ServerKey {
            switch self {
            case .stream(let name, _):
                let use = name.literal.map { ServerKey.Use.messages(stream: $0) }
                return ServerKey(use ?? .messageStreams(pattern: name.pattern), from: "stream")
            case .channel(let name):
                let use = name.literal.map { ServerKey.Use.messageChannel($0) }
                return ServerKey(use ?? .messageChannels(pattern: name.pattern), from: "channel")
            }
        }
    }

    /// The settings under `publish`.
    public struct Settings: Sendable {
        /// The destination.
        public var target: Target
        /// The fields to send.
        public var fields: FieldSelection
        /// The maximum number of different streams or channels, if the name contains fields.
        public var maxTargets = Self.defaultTargets

        /// The default of `maxTargets`: far above a fan-out that is intended, and far below the number of keys that a
        /// field with an id by mistake would create.
        static let defaultTargets = 1000
        /// The upper limit of `maxTargets`: their names are kept in memory, at most 100 MB.
        static let mostTargets = 100_000
    }

    /// The settings as in the file, before it is checked that there is exactly one destination.
    struct Read: Sendable {
        /// The channel's name.
        var channel: Template?
        /// The stream's key.
        var stream: Template?
        /// The approximate number of entries that the stream keeps.
        var maxLength: Int?
        /// The fields to send.
        var fields = FieldSelection.all
        /// The maximum number of different names.
        var maxTargets: Int?

        static let schema = SettingsSchema(
            Read(),
            [
                .optional(
                    "stream", \.stream, .optional(.nonBlankTemplate),
                    "Stream that receives an entry for each event; a field in braces stands for its value."),
                .optional(
                    "channel", \.channel, .optional(.nonBlankTemplate),
                    "Channel that receives JSON for each event; a field in braces stands for its value."),
                .optional(
                    "fields", \.fields, .fieldSelection, default: "all",
                    "Fields to send: all fields that earlier stages provide (all), the fields of the entry (entry), "
                        + "or a list."
                ),
                .optional(
                    "max_length", \.maxLength, .optional(.integer(1...Int.max)),
                    "Approximate number of entries that the stream keeps; without it, unlimited."),
                .optional(
                    "max_targets", \.maxTargets, .optional(.integer(1...Settings.mostTargets)),
                    "Maximum number of different streams or channels, if the name contains fields; by default 1000."),
            ], alternatives: [.exactlyOne("stream", "channel")])

        /// The decoder of the settings.
        static let type = SettingType<Settings>(shape: .object(Self.schema.descriptions)) { node, issues in
            guard let read = Self.schema.decode(node, &issues) else { return nil }
            if read.maxTargets != nil, (read.stream ?? read.channel)?.literal != nil {
                issues.add(
                    "max_targets requires a field in braces in stream or channel",
                    at: node["max_targets"]?.position ?? node.position)
                return nil
            }
            let maxTargets = read.maxTargets ?? Settings.defaultTargets
            switch (read.channel, read.stream) {
            case (nil, let stream?):
                return Settings(
                    target: .stream(stream, maxLength: read.maxLength), fields: read.fields, maxTargets: maxTargets)
            case (let channel?, nil):
                if read.maxLength == nil {
                    return Settings(target: .channel(channel), fields: read.fields, maxTargets: maxTargets)
                }
                issues.add(
                    "max_length requires a stream, not a channel", at: node["max_length"]?.position ?? node.position)
            case (nil, nil): issues.add("missing setting \"stream\" or \"channel\"", at: node.position)
            case (let channel?, _?):
                issues.add("stream and channel are both given: keep one of them", at: channel.position)
            }
            return nil
        }
    }
}
