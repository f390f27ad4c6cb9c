/// Is told of every revocation, so that it can cut off what belongs to it: connections, tokens, caches.
public protocol RevocationHandler: Sendable {
    /// Called after the revoked snapshot was applied, in stream order, with lanes in the order of each lane's keys, on the
    /// thread that reads the stream: it must not wait.
    ///
    /// Called at least once for each revocation, again where an entry is read again. The key's text is
    /// `event.text(of: key)`, its bytes `event.withValue(of: key)`.
    func revoke(_ event: borrowing Event, key: FieldID)

    /// Called after each batch that had a revocation, before the cursor moves; it may wait, and throws where the
    /// revocations could not be handed on, which ends the run.
    /// Cancelling the task makes it give up.
    func endBatch() async throws

    /// Called once, when the pipeline has ended: a place to close connections.
    func shutDown() async
}

extension RevocationHandler {
    /// Does nothing.
    public func endBatch() async throws {}

    /// Does nothing.
    public func shutDown() async {}
}

/// A revocation handler that is a closure of the revoked key and the entry's id.
public struct RevocationCallback: RevocationHandler {
    private let body: @Sendable (String, EntryID) -> Void

    /// Makes a handler; `body` is called on the thread that reads the stream and must not wait.
    public init(_ body: @escaping @Sendable (_ key: String, _ entry: EntryID) -> Void) {
        self.body = body
    }

    /// Calls the closure.
    public func revoke(_ event: borrowing Event, key: FieldID) {
        self.body(event.text(of: key) ?? "", event.id)
    }
}
