/// Why a server could not be reached, refused a command or broke off.
///
/// No text holds a password. `isTransient` says whether trying again can help without anybody changing anything.
public struct RedisError: Error, Sendable, Equatable {
    /// What kind of failure it is.
    public enum Code: String, Sendable, CaseIterable {
        /// No connection: name unknown, refused, unreachable.
        case connectFailed
        /// The TLS handshake failed.
        case tls
        /// The server refuses user and password, or wants some.
        case authentication
        /// The user lacks a right.
        case permission
        /// The key holds something else than the command needs.
        case wrongType
        /// The server cannot serve now: it loads, follows, fails over, or is full.
        case unavailable
        /// The stream has no such consumer group.
        case noGroup
        /// The server does not know a script by its digest.
        case scriptMissing
        /// Another server of the cluster has the key: see `redirection`.
        case moved
        /// Any other error the server answered.
        case serverError
        /// What came is not what a Redis server sends.
        case protocolViolation
        /// A reply breaks a limit of this side.
        case replyTooLarge
        /// An entry has a value that is too large to be read, and the settings say to end.
        case valueTooLarge
        /// No answer in time.
        case timedOut
        /// The connection has ended.
        case closed
        /// More is asked at once than a limit of this side allows.
        case tooManyCommands
        /// The settings cannot be used: a file is missing or unreadable.
        case badSettings
        /// Entries of the stream were lost, and the settings say to end.
        case gap
    }

    /// What kind of failure it is.
    public let code: Code
    /// What happened and what to do, for an operator.
    public let message: String
    /// Whether trying again can help.
    public let isTransient: Bool
    /// Which server to ask instead, where a server of a cluster says so.
    let redirection: Redirection?

    /// Makes an error.
    public init(_ code: Code, _ message: String, isTransient: Bool) {
        self.code = code
        self.message = message
        self.isTransient = isTransient
        self.redirection = nil
    }

    /// Says which server to ask instead.
    init(_ redirection: Redirection, _ message: String) {
        self.code = .moved
        self.message = message
        self.isTransient = true
        self.redirection = redirection
    }

    /// The answer MOVED or ASK of a server where the file names no cluster. Final: the server that it names is not asked,
    /// because it would be given user and password, and the file does not name it.
    var outsideCluster: RedisError {
        RedisError(.moved, "\(self.message): use redis.cluster in place of redis.address", isTransient: false)
    }

    /// The connection was closed by this side.
    static let closedHere = RedisError(.closed, "the connection was closed by this side", isTransient: true)

    /// An answer of another shape than the command has.
    static func unexpectedAnswer(to command: String, _ what: String) -> RedisError {
        RedisError(
            .protocolViolation, "\(command): \(what); is the address that of a Redis server?", isTransient: true)
    }
}

extension RedisError: CustomStringConvertible {
    /// The message.
    public var description: String { self.message }
}
