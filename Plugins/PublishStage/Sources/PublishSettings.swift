public import StageKit

extension PublishStage {
    /// The destination of messages.
    public enum Target: Sendable, Equatable {
        /// A channel, whose current subscribers receive a JSON object.
        case channel(String)
        /// A stream, which receives an entry with the fields and keeps about `maxLength` entries, or all if it is
        /// `nil`.
        case stream(String, maxLength: Int?)
    }

    /// The settings under `publish`.
    public struct Settings: Sendable {
        /// The destination.
        public var target: Target
        /// The fields to send.
        public var fields: FieldSelection
    }

    /// The settings as in the file, before it is checked that there is exactly one destination.
    struct Read: Sendable {
        /// The channel's name.
        var channel: MarkedName?
        /// The stream's key.
        var stream: MarkedName?
        /// The approximate number of entries that the stream keeps.
        var maxLength: Int?
        /// The fields to send.
        var fields = FieldSelection.all

        static let schema = SettingsSchema(
            Read(),
            [
                .optional("stream", \.stream, .optional(.name), "Stream that receives an entry for each event."),
                .optional("channel", \.channel, .optional(.name), "Channel that receives JSON for each event."),
                .optional(
                    "fields", \.fields, .fieldSelection, default: "all",
                    "Fields to send: all fields that earlier stages provide (all), the fields of the entry (entry), "
                        + "or a list."
                ),
                .optional(
                    "max_length", \.maxLength, .optional(.integer(1...Int.max)),
                    "Approximate number of entries that the stream keeps; without it, unlimited."),
            ])

        /// The decoder of the settings.
        static let type = SettingType<Settings>(shape: .object(Self.schema.descriptions)) { node, issues in
            guard let read = Self.schema.decode(node, &issues) else { return nil }
            switch (read.channel, read.stream) {
            case (nil, let stream?):
                return Settings(target: .stream(stream.text, maxLength: read.maxLength), fields: read.fields)
            case (let channel?, nil):
                if read.maxLength == nil { return Settings(target: .channel(channel.text), fields: read.fields) }
                issues.add(
                    "max_length requires a stream, not a channel", at: node["max_length"]?.mark ?? node.mark)
            case (nil, nil): issues.add("missing setting \"stream\" or \"channel\"", at: node.mark)
            case (let channel?, _?):
                issues.add("stream and channel are both given: keep one of them", at: channel.mark)
            }
            return nil
        }
    }
}
