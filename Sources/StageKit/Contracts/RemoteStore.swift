/// A store on a server, where other programs can read it: lookups go over the network.
///
/// It does not know what other `SnapshotStore`s answer immediately: it counts, finds and lists no snapshots.
/// `removeAll` is a request that `finishRemoval` carries out.
public protocol RemoteSnapshotStore: SnapshotStore {
    /// Requests the snapshot under a key, or returns `nil` if there is none. Callable from any task, concurrently.
    ///
    /// Values are as the server keeps them: no field is known to be a number.
    ///
    /// - Throws: An error if the server does not answer in time.
    func lookUp(_ key: [UInt8]) async throws -> Snapshot?

    /// Removes everything if `removeAll` has requested it; a source calls it before it reads on.
    ///
    /// - Throws: An error if that is impossible now: the request stays.
    func finishRemoval() async throws

    /// The time between two calls of `beat` while the pipeline runs, or `nil` for no calls. Read once, at the start.
    var beatInterval: Duration? { get }

    /// Signals to other programs that the store is up to date, if its `freshness` proves it. One call at a time. Errors are
    /// logged; other programs find no proof then.
    ///
    /// - Parameter cursor: The id up to which every event has its outcome; `nil` before it is known.
    func beat(cursor: EntryID?) async

    /// Closes connections; called once, when no batch is in flight. Later changes and lookups are not possible.
    func shutDown() async
}

extension RemoteSnapshotStore {
    /// Not known: 0.
    public var count: Int { 0 }

    /// Not known: nil; see `lookUp`.
    public func snapshot(for key: Span<UInt8>) -> Snapshot? { nil }

    /// Never.
    public var beatInterval: Duration? { nil }

    /// Does nothing.
    public func beat(cursor: EntryID?) async {}

    /// Not known: none.
    public func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {}
}

/// A writer of a store on a server: the result of a change is known when the server has answered.
///
/// `upsert` and `evict` accept a change and return `.applied` provisionally. A stage that waits calls them in its
/// `complete` and then `settle`, so that the outcome of each event is the real one; a stage that does not wait leaves
/// it to `endBatch`, and a refusal by the store is lost.
public protocol DeferredWriter: SnapshotWriter {
    /// Makes all changes accepted since the last call; returns the result of each, in order, as if they had been made
    /// in stream order, including those of the store's other writers in this batch.
    ///
    /// - Throws: An error if the store cannot be reached within its limits: the changes may have been made or not, and
    ///   may come again.
    func settle() async throws -> [Result<StoreChange, StageFailure>]
}

extension WaitingEvents {
    /// Makes a change in a store on a server for every waiting event.
    ///
    /// - Parameters:
    ///   - writer: The store's writer of this stage.
    ///   - take: Passes the event to the writer; if it throws `StageFailure`, the event fails with it.
    ///   - done: Decides what happens to the event, like `Stage.process`, except that it cannot send it to a branch.
    public func settle(
        _ writer: any DeferredWriter, _ take: (borrowing Event) throws(StageFailure) -> Void,
        _ done: (inout Event, Result<StoreChange, StageFailure>) throws(StageFailure) -> Verdict
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
                case .branch, .wait: preconditionFailure("an event that has waited goes on, ends or fails")
                }
            } catch {
                self.fail(at: position, error)
            }
        }
    }
}
