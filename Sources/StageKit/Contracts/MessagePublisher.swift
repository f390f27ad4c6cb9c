/// Sends messages of stages to a stream or a channel.
///
/// One publisher serves all stages of a pipeline, one call at a time. With lanes each one has its own, unless the
/// embedding program provides one: that publisher serves all lanes, and their calls may overlap.
public protocol MessagePublisher: Sendable {
    /// Sends all messages, in order, and returns one result for each: `nil` if the server has it, and otherwise the
    /// failure.
    ///
    /// At least once: a message whose confirmation was lost with a connection is sent again, together with the later
    /// ones. It waits for an unreachable server up to a limit of its own; messages not sent by then have failed.
    ///
    /// - Throws: An error if the server cannot be used at all, for example with a wrong password, or if the task is
    ///   cancelled: it is then unknown which messages were sent, and the batch must not be finished.
    func publish(_ messages: [OutgoingMessage]) async throws -> [PublishFailure?]

    /// Called once, when the pipeline has ended, to close connections.
    func shutDown() async
}

extension MessagePublisher {
    /// Does nothing.
    public func shutDown() async {}
}

/// A message to be sent.
public enum OutgoingMessage: Sendable, Equatable {
    /// A name with a value, both as bytes.
    public struct Field: Sendable, Equatable {
        /// The name.
        public var name: [UInt8]
        /// The value.
        public var value: [UInt8]

        /// Creates a field.
        public init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }

        /// Creates a field of text.
        public init(_ name: String, _ value: String) {
            self.init(name: Array(name.utf8), value: Array(value.utf8))
        }
    }

    /// An entry for a stream, with at least one field; with `maxLength` the stream keeps about this many of the newest
    /// entries.
    case entry(stream: String, maxLength: Int?, fields: [Field])
    /// A text for the current subscribers of a channel.
    case text(channel: String, payload: [UInt8])
}

/// Why a message was not sent.
public struct PublishFailure: Error, Sendable, Equatable {
    /// The problem and its remedy, for an operator.
    public var message: String

    /// Creates a failure.
    public init(_ message: String) {
        self.message = message
    }
}
