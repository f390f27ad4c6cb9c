/// Sends the messages of stages to a stream or a channel.
///
/// All stages of a pipeline share one publisher, which is called by one stage at a time. With lanes, each lane has its
/// own, unless the embedding program provides one: that publisher serves all lanes, and calls may overlap.
public protocol MessagePublisher: Sendable {
    /// Sends all messages in order.
    ///
    /// Delivery is at least once: a message whose acknowledgement was lost with the connection is sent again, together
    /// with the later ones. The publisher waits for an unreachable server up to a limit of its own; messages not sent
    /// by then have failed.
    ///
    /// - Returns: One result per message: `nil` if the server has it, otherwise the failure.
    /// - Throws: An error if the server cannot be used at all, for example because of a wrong password, or if the task
    ///   is cancelled. It is then unknown which messages were sent, and the batch must not be finished.
    func publish(_ messages: [OutgoingMessage]) async throws -> [PublishFailure?]

    /// Closes connections. Called once, when the pipeline has ended.
    func shutDown() async
}

extension MessagePublisher {
    /// Does nothing.
    public func shutDown() async {}
}

/// A message to send.
public enum OutgoingMessage: Sendable, Equatable {
    /// A name and a value, both as bytes.
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

    /// An entry for a stream, with at least one field. If `maxLength` is set, the stream is trimmed to about this many
    /// of the newest entries.
    case entry(stream: String, maxLength: Int?, fields: [Field])
    /// A payload for the current subscribers of a channel.
    case text(channel: String, payload: [UInt8])
}

/// The reason why a message was not sent.
public struct PublishFailure: Error, Sendable, Equatable {
    /// The problem and its remedy, for operators.
    public var message: String

    /// Creates a failure.
    public init(_ message: String) {
        self.message = message
    }
}
