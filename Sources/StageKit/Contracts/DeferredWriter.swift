/// A writer of a store on a server: the result of a change is known only when the server has answered.
///
/// `upsert` and `evict` accept a change and provisionally return `.applied`. A stage that waits calls them in
/// `complete`, followed by `settle`, so that each event gets the real result. A stage that does not wait leaves the
/// changes to `endBatch`, which does not report refusals by the store.
public protocol DeferredWriter: SnapshotWriter {
    /// Makes all changes that were accepted since the last call.
    ///
    /// - Returns: The result of each change, in order, as if the changes had been made in stream order, including those
    ///   of the store's other writers in this batch.
    /// - Throws: An error if the store cannot be reached within its limits. The changes may or may not have been made,
    ///   and may be repeated.
    func settle() async throws -> [Result<StoreChange, RefusedChange>]
}

/// A change that a store on a server has not made.
public struct RefusedChange: Error, Sendable, Equatable {
    /// The failure of the event.
    public var failure: StageFailure
    /// Whether the store could not write the event's snapshot and has removed the older one under its key. The stage
    /// notifies the revocation handler of the eviction.
    public var removedSnapshot: Bool

    /// Creates a refusal.
    public init(_ failure: StageFailure, removedSnapshot: Bool = false) {
        self.failure = failure
        self.removedSnapshot = removedSnapshot
    }
}

extension DeferredWriter {
    /// This writer.
    public var deferred: (any DeferredWriter)? { self }
}

extension WaitingEvents {
    /// Makes a change in a store on a server for every waiting event.
    ///
    /// - Parameters:
    ///   - writer: This stage's writer of the store.
    ///   - take: Passes the event to the writer. If it throws `StageFailure`, the event fails with it.
    ///   - done: Decides what happens to the event, like `Stage.process`, except that it cannot send the event to a
    ///     branch.
    /// - Throws: The error that `DeferredWriter.settle` throws.
    public func settle(
        _ writer: any DeferredWriter, _ take: (borrowing Event) throws(StageFailure) -> Void,
        _ done: (inout Event, Result<StoreChange, RefusedChange>) throws(StageFailure) -> Verdict
    ) async throws {
        var taken: [Int] = []
        for position in 0..<self.count {
            do throws(StageFailure) {
                try self.withEvent(at: position) { (event) throws(StageFailure) in try take(event) }
                taken.append(position)
            } catch {
                self.fail(at: position, error)
            }
        }
        for (position, change) in zip(taken, try await writer.settle()) {
            do throws(StageFailure) {
                let verdict = try self.withEvent(at: position) { (event) throws(StageFailure) in
                    try done(&event, change)
                }
                switch verdict {
                case .next: break
                case .finish(let outcome, let reason): self.finish(at: position, outcome, reason)
                case .branch, .wait: preconditionFailure("an event that has waited must continue, finish or fail")
                }
            } catch {
                self.fail(at: position, error)
            }
        }
    }
}
