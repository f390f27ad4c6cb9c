/// Sends messages to whoever reads a stream or listens to a channel, for stages.
///
/// One publisher serves all stages of a pipeline, one call at a time. With lanes each has one of its own, unless the
/// embedding program gives one: that serves all lanes, and their calls may overlap.
public protocol MessagePublisher: Sendable {
    /// Sends all of them, in order, and returns one result for each: nil where the server has it, else why not.
    ///
    /// At least once: a message whose confirmation was lost with a connection is sent again, and so are those behind it.
    /// It waits for a server that is away, up to a limit of its own; what is not sent by then has failed. Throws where the
    /// server cannot be used at all, such as with a wrong password, and where the task is cancelled: what was sent is
    /// then not known, and the batch must not be done.
    func publish(_ messages: [OutgoingMessage]) async throws -> [PublishFailure?]

    /// Called once, when the pipeline has ended: a place to close connections.
    func shutDown() async
}

extension MessagePublisher {
    /// Does nothing.
    public func shutDown() async {}
}

/// A message on its way to others.
public enum OutgoingMessage: Sendable, Equatable {
    /// A name with a value, both as bytes.
    public struct Field: Sendable, Equatable {
        /// The name.
        public var name: [UInt8]
        /// The value.
        public var value: [UInt8]

        /// Makes a field.
        public init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }

        /// Makes a field of text.
        public init(_ name: String, _ value: String) {
            self.init(name: Array(name.utf8), value: Array(value.utf8))
        }
    }

    /// An entry for a stream, with at least one field; with `maxLength` the stream keeps about so many, the newest.
    case entry(stream: String, maxLength: Int?, fields: [Field])
    /// A text for whoever listens to a channel at that moment.
    case text(channel: String, payload: [UInt8])
}

/// Why a message was not sent.
public struct PublishFailure: Error, Sendable, Equatable {
    /// What is wrong and what to do, for an operator.
    public var message: String

    /// Makes a failure.
    public init(_ message: String) {
        self.message = message
    }
}
