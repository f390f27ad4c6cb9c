/// A place where stores and the position of the source that feeds them outlive the process.
///
/// The source says where it is (`EventSource.position`) and is asked to load and discard; the pipeline has it saved.
public protocol CheckpointKeeper: Sendable {
    /// How long to wait between two checkpoints.
    var interval: Duration { get }

    /// Claims the place of the checkpoint for a run, before it is loaded: another worker with the same place is refused until
    /// `release` or the end of the process.
    ///
    /// - Throws: `CheckpointInUse` if another worker holds the claim. Anything else that goes wrong is logged.
    func claim() throws

    /// Ends the claim, after the last `save`.
    func release()

    /// Fills the stores with the last checkpoint and returns the source's position in it; nil where there is none.
    ///
    /// Throws `CheckpointFailure` where there is one that cannot be used; the stores hold nothing of it then.
    func load() throws -> String?

    /// Takes the last checkpoint away, as the stores are about to hold something else. What goes wrong is logged.
    func discard()

    /// Takes over another digest of what builds the stores: the file was reloaded, and what they hold goes on. What is saved
    /// from then on belongs to it.
    func adopt(definition: String)

    /// Writes the stores and the position that `position` tells; does nothing where there is none, or where its epoch
    /// changes meanwhile. What goes wrong is logged, and the last checkpoint stays.
    func save(_ position: () -> SourcePosition?) async
}

extension CheckpointKeeper {
    /// Does nothing: for places that only this worker can reach.
    public func claim() throws {}

    /// Does nothing.
    public func release() {}
}

/// Another worker uses the place of the checkpoint.
public struct CheckpointInUse: Error, Sendable, Equatable, CustomStringConvertible {
    /// The place of the checkpoint.
    public var path: String
    /// The file that the other worker has locked.
    public var lock: String
    /// The process id of the other worker, if it is known.
    public var pid: Int32?

    /// The error with what to do.
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

/// Where a source is, as of everything that the stores hold at least.
public struct SourcePosition: Sendable, Equatable {
    /// Changes whenever the stores are emptied or filled anew: what was noted under another epoch does not belong here.
    public var epoch: Int
    /// Every entry up to here is in the stores.
    public var cursor: EntryID
    /// What the source has to know to go on from there.
    public var text: String

    /// Makes a position.
    public init(epoch: Int, cursor: EntryID, text: String) {
        self.epoch = epoch
        self.cursor = cursor
        self.text = text
    }
}

/// Why a checkpoint cannot be used.
public struct CheckpointFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong with it.
    public var description: String

    /// Makes a failure.
    public init(_ description: String) {
        self.description = description
    }
}
