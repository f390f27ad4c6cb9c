/// A key or channel on a Redis server, or a set of them, that a stage, source or store uses. A pipeline file in which
/// two parts would damage each other's data is refused.
public struct ServerKey: Sendable, Equatable {
    /// The use of a key or channel.
    public enum Use: Sendable, Equatable {
        /// The keys of a store, given by their prefix.
        case store(prefix: String)
        /// The keys that the stores are filled from, given by a pattern.
        case bootstrap(pattern: String)
        /// A stream that the source reads.
        case source(stream: String)
        /// A stream of dead-letter entries.
        case deadLetters(stream: String)
        /// A stream of revocations.
        case revocations(stream: String)
        /// A stream of messages.
        case messages(stream: String)
        /// Streams of messages whose names contain fields of events, given by a pattern.
        case messageStreams(pattern: String)
        /// A channel of revocations.
        case revocationChannel(String)
        /// A channel of messages.
        case messageChannel(String)
        /// Channels of messages whose names contain fields of events, given by a pattern.
        case messageChannels(pattern: String)
    }

    /// The use.
    public let use: Use
    /// The path of the setting that names the key or channel, the outermost name first: errors have its position.
    public let setting: [String]

    /// Creates a declaration.
    public init(_ use: Use, from setting: String...) {
        (self.use, self.setting) = (use, setting)
    }
}
