/// A store on a server, which other programs read there: look-ups are questions over the network.
///
/// What `SnapshotStore` answers at once it does not know: it counts no snapshot, finds none and lists none. `removeAll`
/// is a wish that `finishRemoval` fulfils.
public protocol RemoteSnapshotStore: SnapshotStore {
    /// Asks for the snapshot under a key, nil where there is none. From any task, many at once.
    ///
    /// Throws where the server cannot be asked in time. Values are as the server keeps them: no field is known to be a
    /// number.
    func lookUp(_ key: [UInt8]) async throws -> Snapshot?

    /// Takes out everything, where `removeAll` has asked for it; a source calls it before it reads on.
    ///
    /// Throws where that cannot be done now: the wish stays.
    func finishRemoval() async throws

    /// Closes what is open; called once, when no batch is under way. Nothing can be changed or asked any more.
    func shutDown() async
}

extension RemoteSnapshotStore {
    /// Not known: 0.
    public var count: Int { 0 }

    /// Not known: nil; see `lookUp`.
    public func snapshot(for key: Span<UInt8>) -> Snapshot? { nil }

    /// Not known: none.
    public func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {}
}

/// A writer of a store elsewhere: what the store does with a change is known when it has answered.
///
/// `upsert` and `evict` take a change and say `.applied` for want of better knowledge. A stage that waits calls them in
/// its `complete` and then `settle`, so that the outcome of each event is the true one; one that does not leaves it to
/// `endBatch`, and what the store refuses then is lost.
public protocol DeferredWriter: SnapshotWriter {
    /// Has the store make all changes taken since the last time; says what it did with each, in order, as if they had been
    /// made in stream order, those of the store's other writers in this batch included.
    ///
    /// Throws where the store cannot be reached within its limits: what was taken may be done or not, and may come again.
    func settle() async throws -> [Result<StoreChange, StageFailure>]
}

extension WaitingEvents {
    /// Has a store elsewhere make a change for every event that waits, and tells what it did with each.
    ///
    /// - Parameters:
    ///   - writer: The store's writer of this stage.
    ///   - take: Gives the event to the writer; where it throws `StageFailure`, the event is failed with that.
    ///   - done: Says what becomes of the event, as `Stage.process` would, but that it can be sent to no branch.
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
