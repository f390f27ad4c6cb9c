/// A command that a component sends to a server while it runs. `sluice check` tries it, or asks the server whether it is
/// permitted.
public struct ServerCommand: Sendable, Equatable {
    /// The words of the command, one or two, such as `XINFO STREAM`. They name it in messages.
    public var words: String
    /// The arguments after the words.
    public var arguments: [[UInt8]]
    /// Whether sending the command changes nothing, so that it can be tried.
    public var isHarmless: Bool
    /// The key, if the component sends the command for several, to distinguish them in messages.
    public var key: String?
    /// The component's behaviour without the command, or `nil` if the command is required.
    public var substitute: String?
    /// The change to the file that makes the command unnecessary, or `nil` if there is none.
    public var alternative: String?

    /// Creates a command.
    public init(
        _ words: String, _ arguments: [[UInt8]], isHarmless: Bool, key: String? = nil, substitute: String? = nil,
        alternative: String? = nil
    ) {
        self.words = words
        self.arguments = arguments
        self.isHarmless = isHarmless
        self.key = key
        self.substitute = substitute
        self.alternative = alternative
    }
}

/// What a source uses on the server of the file's section `redis`.
public struct ServerUse: Sendable, Equatable {
    /// The keys of the streams that the source reads there.
    public var streams: [String]
    /// The commands that the source sends.
    public var commands: [ServerCommand]

    /// Creates a description.
    public init(streams: [String], commands: [ServerCommand]) {
        self.streams = streams
        self.commands = commands
    }
}
