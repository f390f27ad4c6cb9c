public import StageKit

/// A failed connection, a refused command or a broken protocol.
///
/// No text contains a password. `isTransient` says whether a retry can succeed without a change by the operator.
public struct RedisError: Error, Sendable, Equatable {
    /// The kind of failure.
    public enum Code: String, Sendable, CaseIterable {
        /// The connection failed: unknown name, refused or unreachable.
        case connectFailed
        /// The TLS handshake failed.
        case tls
        /// The server rejects the user or the password, or requires one.
        case authentication
        /// The user lacks a permission.
        case permission
        /// The server does not have the command: it is too old, or the command is renamed or disabled.
        case unknownCommand
        /// The key holds a value of a different type.
        case wrongType
        /// The server is temporarily unavailable: it is loading, is a replica, is failing over, or has reached a limit.
        case unavailable
        /// The server has reached its memory limit and accepts no command that needs memory.
        case outOfMemory
        /// The stream does not have the consumer group.
        case noGroup
        /// The server does not know a script's digest.
        case scriptMissing
        /// Another server of the cluster holds the key; see `redirection`.
        case moved
        /// Any other error answer.
        case serverError
        /// The bytes received are not valid replies.
        case protocolViolation
        /// A reply exceeds a limit of the parser.
        case replyTooLarge
        /// An entry has a value above the size limit, and the settings require the run to end.
        case valueTooLarge
        /// The server did not answer in time.
        case timedOut
        /// The connection is closed.
        case closed
        /// More commands are in flight than this side allows.
        case tooManyCommands
        /// The settings cannot be used, for example because a file is missing or unreadable.
        case badSettings
        /// Entries of the stream were lost, and the settings require the run to end.
        case gap
    }

    /// The kind of failure.
    public let code: Code
    /// The failure and its remedy, for the operator.
    public let message: String
    /// Whether a retry can succeed.
    public let isTransient: Bool
    /// The server to ask instead, if a cluster server answered MOVED or ASK; otherwise `nil`.
    package let redirection: Redirection?
    /// The failure of the credentials, if that is what kept a connection from being opened; otherwise `nil`.
    package let credentials: CredentialFailure?

    /// Creates an error.
    public init(_ code: Code, _ message: String, isTransient: Bool) {
        self.init(code, message, isTransient: isTransient, credentials: nil)
    }

    /// Creates an error; `credentials` says which credentials failed, if they did.
    init(_ code: Code, _ message: String, isTransient: Bool, credentials: CredentialFailure?) {
        self.code = code
        self.message = message
        self.isTransient = isTransient
        self.redirection = nil
        self.credentials = credentials
    }

    /// Creates an error for a redirection to another server.
    init(_ redirection: Redirection, _ message: String) {
        self.code = .moved
        self.message = message
        self.isTransient = true
        self.redirection = redirection
        self.credentials = nil
    }

    /// The error for a MOVED or ASK answer if the file does not configure a cluster.
    ///
    /// It is not transient and the redirection is not followed: that would send the credentials to a server that the
    /// file does not name.
    var outsideCluster: RedisError {
        RedisError(.moved, "\(self.message): use redis.cluster instead of redis.address", isTransient: false)
    }

    /// The connection was closed by this side.
    package static let closedHere = RedisError(.closed, "the connection was closed by this side", isTransient: true)

    /// Returns the error for an answer to `command` of an unexpected form.
    package static func unexpectedAnswer(to command: String, _ what: String) -> RedisError {
        RedisError(
            .protocolViolation, "\(command): unexpected reply: \(what); is this a Redis server?", isTransient: true)
    }
}

extension RedisError: CustomStringConvertible {
    /// The message.
    public var description: String { self.message }
}

extension RedisError: LookupError {
    /// Whether the server cannot be used now. An answer that refuses a command concerns that command only.
    public var isOutage: Bool {
        switch self.code {
        case .permission, .unknownCommand, .wrongType, .outOfMemory, .noGroup, .scriptMissing, .moved, .serverError,
            .replyTooLarge, .valueTooLarge, .gap:
            false
        case .connectFailed, .tls, .authentication, .unavailable, .protocolViolation, .timedOut, .closed,
            .tooManyCommands, .badSettings:
            true
        }
    }
}
