public import StageKit

extension PublishStage {
    /// Where messages go.
    public enum Target: Sendable, Equatable {
        /// Whoever listens to the channel at that moment gets a JSON object.
        case channel(String)
        /// The stream gets an entry with the fields; it keeps about `maxLength` of them, nil for all.
        case stream(String, maxLength: Int?)
    }

    /// What the YAML under `publish` says.
    public struct Settings: Sendable {
        /// Where to.
        public var target: Target
        /// What goes out.
        public var fields: FieldSelection
    }

    /// The settings as they stand in the file, before it is known that there is one target.
    struct Read: Sendable {
        /// The channel's name.
        var channel: MarkedName?
        /// The stream's key.
        var stream: MarkedName?
        /// About how many entries the stream keeps.
        var maxLength: Int?
        /// What goes out.
        var fields = FieldSelection.all

        static let schema = SettingsSchema(
            Read(),
            [
                .optional("stream", \.stream, .optional(.name), "The stream that gets an entry for each event."),
                .optional("channel", \.channel, .optional(.name), "The channel that gets JSON for each event."),
                .optional(
                    "fields", \.fields, .fieldSelection, default: "all",
                    "What goes out: all fields that earlier stages provide, those of the entry itself, or a list."),
                .optional(
                    "max_length", \.maxLength, .optional(.integer(1...Int.max)),
                    "About how many entries the stream keeps, the newest; all of them where left out."),
            ])

        /// How the settings are read.
        static let type = SettingType<Settings>(shape: .object(Self.schema.descriptions)) { node, issues in
            guard let read = Self.schema.decode(node, &issues) else { return nil }
            switch (read.channel, read.stream) {
            case (nil, let stream?):
                return Settings(target: .stream(stream.text, maxLength: read.maxLength), fields: read.fields)
            case (let channel?, nil):
                if read.maxLength == nil { return Settings(target: .channel(channel.text), fields: read.fields) }
                issues.add(
                    "max_length belongs to a stream, not to a channel", at: node["max_length"]?.mark ?? node.mark)
            case (nil, nil): issues.add("missing setting \"stream\" or \"channel\"", at: node.mark)
            case (let channel?, _?):
                issues.add("stream and channel are both given: keep one of them", at: channel.mark)
            }
            return nil
        }
    }
}
