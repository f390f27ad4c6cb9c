/// The reason why a stream of replies cannot be read further.
///
/// The reader cannot find the next reply any more: close the connection and open a new one. The message contains
/// lengths and at most one byte of the input, never a value.
package struct RESPError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of errors.
    package enum Kind: Equatable, Sendable {
        /// The input is not RESP.
        case protocolViolation
        /// The input, or an announced length, exceeds this limit.
        case limitExceeded(RESPLimits.Name)
        /// The system has no memory for the input, although the limits allow it.
        case outOfMemory
    }

    /// The kind of the error.
    package let kind: Kind
    /// The problem, its location (the number of the reply and of the value in it, both counted from 1), and the
    /// exceeded limit.
    package let message: String

    /// Creates an error.
    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// The kind, followed by the message.
    package var description: String {
        switch self.kind {
        case .protocolViolation: "RESP protocol violation: \(self.message)"
        case .limitExceeded: "RESP limit exceeded: \(self.message)"
        case .outOfMemory: "RESP out of memory: \(self.message)"
        }
    }
}
