public import StageKit

/// Keeps the stores, the states of stages, and the bookmark of the source that feeds them, across restarts of the
/// process.
///
/// The source provides its bookmark (`EventSource.bookmark`) and calls `load` and `discard`; the pipeline calls the
/// other functions.
public protocol CheckpointKeeper: Sendable {
    /// The time between two checkpoints.
    var interval: Duration { get }

    /// Claims the checkpoint for a run, before it is loaded. Another worker that uses the same checkpoint is refused
    /// until `release` is called or the process exits.
    ///
    /// - Throws: `CheckpointInUse` if another worker holds the claim. Any other error is logged.
    func claim() throws

    /// Releases the claim, after the last `save`.
    func release()

    /// Loads the last checkpoint into the stores.
    ///
    /// - Returns: The source's bookmark in the checkpoint, or `nil` if there is no checkpoint.
    /// - Throws: `CheckpointFailure` if the checkpoint cannot be used; the stores are empty then. If only the contents of
    ///   the stores cannot be used, the failure has the bookmark, and `takeStages` returns the states of stages: the
    ///   caller discards these with `takeStages` if the bookmark is not one of its stream.
    func load() throws -> String?

    /// Deletes the last checkpoint, because the stores are about to be filled with other content. Errors are logged.
    func discard()

    /// Sets the digest of the configuration that builds the stores, after a reload that keeps their content. Later
    /// checkpoints are saved with the new digest.
    func adopt(definition: String)

    /// Writes the stores, the states of stages and the bookmark that `bookmark` returns. Does nothing if `bookmark` or
    /// `stages` returns `nil`, or if the epoch changes in the meantime. Errors are logged, and the previous checkpoint
    /// is kept.
    ///
    /// - Parameters:
    ///   - bookmark: Returns the current bookmark. Called before `stages`, and again to check the epoch.
    ///   - stages: Returns the states of stages, which contain at least every entry up to the bookmark that was
    ///     returned before the call.
    func save(_ bookmark: () -> SourceBookmark?, stages: () async -> [SavedStage]?) async

    /// Returns the states of stages that `load` has read, once.
    func takeStages() -> [SavedStage]
}

/// The state of a stage in a checkpoint.
public struct SavedStage: Sendable, Equatable {
    /// The stage's name in the graph.
    public var name: String
    /// The state, as `StageState.save` returned it.
    public var state: [UInt8]

    /// Creates a saved state.
    public init(name: String, state: [UInt8]) {
        self.name = name
        self.state = state
    }
}

extension CheckpointKeeper {
    /// Writes the stores and the bookmark, without states of stages.
    public func save(_ bookmark: () -> SourceBookmark?) async {
        await self.save(bookmark) { [] }
    }

    /// Does nothing: suitable for storage that no other worker can reach.
    public func claim() throws {}

    /// Does nothing.
    public func release() {}
}

/// Another worker uses the same checkpoint.
public struct CheckpointInUse: Error, Sendable, Equatable, CustomStringConvertible {
    /// The path of the checkpoint.
    public var path: String
    /// The file that the other worker has locked.
    public var lock: String
    /// The process id of the other worker, if it is known.
    public var pid: Int32?

    /// The message, with the remedy.
    public var description: String {
        let other = self.pid.map { "another worker, process \($0)," } ?? "another worker"
        return "checkpoint \(self.path): \(other) uses it (lock on \(self.lock)): "
            + "stop that worker, or give each worker its own checkpoint.path"
    }

    /// Creates an error.
    public init(path: String, lock: String, pid: Int32? = nil) {
        self.path = path
        self.lock = lock
        self.pid = pid
    }
}

/// The bookmark of a source. The stores contain at least every entry up to it.
public struct SourceBookmark: Sendable, Equatable {
    /// Changes whenever the stores are emptied or refilled; a bookmark is only valid in its own epoch.
    public var epoch: Int
    /// The id up to which every entry is in the stores.
    public var cursor: EntryID
    /// The state that the source needs to continue from this bookmark.
    public var text: String

    /// Creates a bookmark.
    public init(epoch: Int, cursor: EntryID, text: String) {
        self.epoch = epoch
        self.cursor = cursor
        self.text = text
    }
}

/// The reason why a checkpoint cannot be used.
public struct CheckpointFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The message.
    public var description: String
    /// The source's bookmark in the checkpoint, or `nil` if no part of the checkpoint can be used.
    public var bookmark: String?

    /// Creates a failure.
    ///
    /// - Parameters:
    ///   - description: The message.
    ///   - bookmark: The source's bookmark, if only the contents of the stores cannot be used.
    public init(_ description: String, bookmark: String? = nil) {
        self.description = description
        self.bookmark = bookmark
    }
}
