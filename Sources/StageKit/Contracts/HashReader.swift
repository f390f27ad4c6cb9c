/// Reads fields of Redis hashes for stages.
///
/// All stages of a pipeline share one reader. Calls may overlap.
public protocol HashReader: Sendable {
    /// Requests fields of hashes, all requests in one pipelined wait.
    ///
    /// The reader waits for an unreachable server up to a limit of its own; requests that are not answered by then have
    /// failed.
    ///
    /// - Returns: The result of each request: the value of each of its fields, `nil` for a field that the hash does not
    ///   have and for all fields of a hash that does not exist.
    /// - Throws: An error if the server cannot be used at all, for example because of a wrong password, or if the task
    ///   is cancelled. The batch must not be finished then.
    func read(_ requests: [HashRequest]) async throws -> [Result<[[UInt8]?], HashFailure>]

    /// Closes connections. Called once, when the pipeline has ended.
    func shutDown() async
}

extension HashReader {
    /// Does nothing.
    public func shutDown() async {}
}

/// A request for fields of a hash.
public struct HashRequest: Sendable, Hashable {
    /// The key of the hash.
    public var key: [UInt8]
    /// The names of the fields, at least one.
    public var fields: [[UInt8]]

    /// Creates a request.
    public init(key: [UInt8], fields: [[UInt8]]) {
        self.key = key
        self.fields = fields
    }
}

/// The reason why a request for fields of a hash failed.
public struct HashFailure: LookupError, Sendable, Equatable {
    /// The problem and its remedy, for operators.
    public var message: String
    /// Whether the server cannot be used now, so that other requests would fail too.
    public var isOutage: Bool

    /// Creates a failure.
    public init(_ message: String, isOutage: Bool = false) {
        self.message = message
        self.isOutage = isOutage
    }
}
