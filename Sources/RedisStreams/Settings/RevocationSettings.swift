public import ComponentKit
public import StageKit

/// Where revocations, evictions and resets are published: the file's top-level section `revocations`.
public struct RevocationSettings: Sendable, Equatable {
    /// The destination of the messages.
    public enum Target: Sendable, Equatable {
        /// A channel (PUBLISH): only current subscribers receive the messages.
        case channel(String)
        /// A stream (XADD) that keeps approximately the last `maxLength` messages.
        case stream(String, maxLength: Int)
    }

    /// The destination of the messages.
    public var target: Target

    /// Creates settings with a destination.
    public init(target: Target) {
        self.target = target
    }

    /// The decoded mapping `publish`, before it is known to be a channel or a stream.
    struct Publish: Sendable {
        /// The channel's name.
        var channel: String?
        /// The stream's key.
        var stream: String?
        /// The approximate number of entries that the stream keeps, or `nil` for the default.
        var maxLength: Int?
        /// The default: several minutes of the largest revocation storm, in about 10 MiB.
        static let defaultMaxLength = 100_000

        /// The shape: a channel, or a stream with its length.
        private static let shape: SettingShape = {
            func object(_ name: String) -> SettingShape {
                .object(
                    Self.schema.descriptions.filter { ($0.name == "channel") == (name == "channel") }.map {
                        var description = $0
                        description.isRequired = $0.name == name
                        return description
                    })
            }
            return .either([object("channel"), object("stream")])
        }()

        static let type = SettingType<Target>(shape: Self.shape) { node, issues in
            guard let read = Self.schema.decode(node, &issues) else { return nil }
            switch (read.channel, read.stream) {
            case (let channel?, nil):
                if read.maxLength == nil { return .channel(channel) }
                issues.add("max_length requires a stream, not a channel", at: node.position)
            case (nil, let stream?):
                return .stream(stream, maxLength: read.maxLength ?? Self.defaultMaxLength)
            case (nil, nil): issues.add("missing setting \"channel\" or \"stream\"", at: node.position)
            case (_?, _?): issues.add("channel and stream are both given: keep one of them", at: node.position)
            }
            return nil
        }

        static let schema = SettingsSchema(
            Publish(),
            [
                .optional("channel", \.channel, .optional(.nonBlankText), "The channel to publish on."),
                .optional("stream", \.stream, .optional(.nonBlankText), "The stream to add to."),
                .optional(
                    "max_length", \.maxLength, .optional(.integer(1...Int.max)), default: "\(Self.defaultMaxLength)",
                    "Approximate number of entries that the stream keeps."),
            ])
    }

    /// The setting type of the section.
    public static let type = SettingType<RevocationSettings>.object(
        SettingsSchema(
            RevocationSettings(target: .channel("")),
            [
                .required(
                    "publish", \.target, Publish.type,
                    "Where to publish revocations, evictions and resets: a channel or a stream.")
            ]))

    /// The section's entry in the catalogue.
    public static let section = SectionType(
        name: "revocations", summary: "Publishes revocations, evictions and resets on a Redis channel or stream.",
        settings: Self.type)
}
