/// Why a stream of replies cannot be read further.
///
/// There is no way back into step with the server: close the connection and open a new one.
/// The message holds lengths and at most one byte of what came, never a value.
package struct RESPError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The three ways to fail.
    package enum Kind: Equatable, Sendable {
        /// What came is not RESP.
        case protocolViolation
        /// What came, or was announced, is more than this limit allows.
        case limitExceeded(RESPLimits.Name)
        /// The system has no memory for what came, though the limits allow it.
        case outOfMemory
    }

    /// Which of the ways it was.
    package let kind: Kind
    /// What came, where (reply of this reader and value of that reply, both counted from 1), and the limit it broke.
    package let message: String

    /// Makes an error.
    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// The message with its kind in front.
    package var description: String {
        switch self.kind {
        case .protocolViolation: "RESP protocol violation: \(self.message)"
        case .limitExceeded: "RESP limit exceeded: \(self.message)"
        case .outOfMemory: "RESP out of memory: \(self.message)"
        }
    }
}
