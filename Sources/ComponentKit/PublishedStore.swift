public import StageKit

/// A store that has to be opened before it is used, or that other programs read directly: in a file, on a server or in
/// shared memory.
public protocol PublishedSnapshotStore: SnapshotStore {
    /// Opens the store, and makes it available to other programs. Called once, when the pipeline starts, before the source reads.
    ///
    /// - Throws: An error if that is impossible; the pipeline does not run then.
    func open() throws

    /// The time between two calls of `beat` while the pipeline runs, or `nil` for no calls. Read once, at the start.
    var beatInterval: Duration? { get }

    /// Signals to other programs that the store is up to date, if its `freshness` proves it. One call at a time. Errors
    /// are logged; other programs then see the store as stale.
    ///
    /// - Parameter cursor: The id up to which every event has its outcome, or `nil` if it is not known yet.
    func beat(cursor: EntryID?) async

    /// Ends the publication, and closes files and connections. Called once, when no batch is in flight; no changes or lookups are
    /// possible afterwards.
    func shutDown() async
}

extension PublishedSnapshotStore {
    /// This store.
    public var published: (any PublishedSnapshotStore)? { self }

    /// Does nothing.
    public func open() throws {}

    /// `nil`: `beat` is not called.
    public var beatInterval: Duration? { nil }

    /// Does nothing.
    public func beat(cursor: EntryID?) async {}
}
