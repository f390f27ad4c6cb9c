public import ComponentKit
import StageKit

/// A checkpoint in memory, for tests of sources. It records the calls.
public final class RecordingCheckpoint: CheckpointKeeper {
    /// A call.
    public enum Call: Sendable, Equatable {
        /// `load`.
        case load
        /// `discard`.
        case discard
        /// `takeStages`.
        case takeStages
    }

    private struct State {
        var bookmark: String?
        var stages: [SavedStage]
        var calls: [Call] = []
    }

    private let failure: CheckpointFailure?
    private let state: OrderedMutex<State>

    /// Creates a checkpoint.
    ///
    /// - Parameters:
    ///   - bookmark: The bookmark that `load` returns, or `nil` for no checkpoint.
    ///   - stages: The states of stages in the checkpoint.
    ///   - failure: The error that `load` throws, or `nil` for none.
    public init(bookmark: String? = nil, stages: [SavedStage] = [], failure: CheckpointFailure? = nil) {
        self.failure = failure
        self.state = OrderedMutex(State(bookmark: bookmark, stages: stages))
    }

    /// The calls so far, in order.
    public var calls: [Call] { self.state.withLock(\.calls) }

    /// The bookmark that was saved last, or with which the checkpoint was created; `nil` after `discard`.
    public var bookmark: String? { self.state.withLock(\.bookmark) }

    /// One hour: the checkpoint is saved when a test says so.
    public var interval: Duration { .seconds(3600) }

    /// Returns the bookmark, or throws the error.
    public func load() throws -> String? {
        self.state.withLock { $0.calls.append(.load) }
        if let failure = self.failure { throw failure }
        return self.bookmark
    }

    /// Removes the bookmark.
    public func discard() {
        self.state.withLock { state in
            state.calls.append(.discard)
            state.bookmark = nil
        }
    }

    /// Does nothing.
    public func adopt(definition: String) {}

    /// Keeps the bookmark and the states.
    public func save(_ bookmark: () -> SourceBookmark?, stages: () async -> [SavedStage]?) async {
        guard let bookmark = bookmark(), let stages = await stages() else { return }
        self.state.withLock { state in
            state.bookmark = bookmark.text
            state.stages = stages
        }
    }

    /// Returns the states, once.
    public func takeStages() -> [SavedStage] {
        self.state.withLock { state in
            defer { state.stages = [] }
            state.calls.append(.takeStages)
            return state.stages
        }
    }
}
