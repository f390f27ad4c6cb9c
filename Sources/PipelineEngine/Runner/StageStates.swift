import ComponentKit
import Logging
import StageKit
import Synchronization

/// The states of a graph's stages (`StatefulStage`), which are saved between two batches.
///
/// The run's task marks the beginning and the end of each batch. Another task that saves a checkpoint during a batch
/// waits for its end: a state in the middle of a batch would contain entries whose events have no outcome yet.
final class StageStates: Sendable {
    /// A stage's state.
    struct Part: Sendable {
        /// The stage's name in the graph.
        let name: String
        /// The state.
        let state: any StageState
    }

    private struct Board {
        var parts: [Part]
        /// Whether a batch is being processed.
        var isBusy = false
        /// Whether a batch was given up: the states contain a part of it and are never saved again.
        var isBroken = false
        var waiting: [CheckedContinuation<[SavedStage]?, Never>] = []

        var saved: [SavedStage]? {
            self.isBroken ? nil : self.parts.map { SavedStage(name: $0.name, state: $0.state.save()) }
        }
    }

    private let board: OrderedMutex<Board>
    private let checkpoint: (any CheckpointKeeper)?
    private let logger: Logger
    private let hasParts: Atomic<Bool>

    /// Creates the states of a graph; those of the last checkpoint are restored when they are first used.
    init(_ graph: StageGraph, checkpoint: (any CheckpointKeeper)?, logger: Logger) {
        self.board = OrderedMutex(Board(parts: graph.states))
        self.hasParts = Atomic(!graph.states.isEmpty)
        self.checkpoint = checkpoint
        self.logger = logger
    }

    /// Whether no stage of the graph has a state.
    var isEmpty: Bool { !self.hasParts.load(ordering: .relaxed) }

    /// Continues with another graph, between two batches: stages of the same name continue with the state.
    func replace(_ graph: StageGraph) {
        let parts = graph.states
        self.board.withLock { board in
            self.restoreLoaded(board.parts)
            let saved = board.saved ?? []
            board.parts = parts
            self.restore(saved, into: parts)
        }
        self.hasParts.store(!parts.isEmpty, ordering: .relaxed)
    }

    /// Restores the states of a checkpoint that the source has loaded since the last call: also before a state is
    /// saved, or the checkpoint would be replaced by one without them.
    private func restoreLoaded(_ parts: [Part]) {
        self.restore(self.checkpoint?.takeStages() ?? [], into: parts)
    }

    private func restore(_ saved: [SavedStage], into parts: [Part]) {
        for (stage, reason) in Self.restore(saved, into: parts) {
            self.logger.warning("stage state discarded", metadata: ["stage": "\(stage)", "error": "\(reason)"])
        }
    }

    /// Restores states; returns the reason for each that no stage can continue with.
    private static func restore(_ saved: [SavedStage], into parts: [Part]) -> [(stage: String, reason: String)] {
        saved.compactMap { stage in
            do throws(StageFailure) {
                guard let part = parts.first(where: { $0.name == stage.name }) else {
                    throw StageFailure("no stage of that name keeps a state: \(stage.state.count) bytes are lost")
                }
                try part.state.restore(stage.state)
                return nil
            } catch {
                return (stage.name, error.message)
            }
        }
    }

    /// Returns the reason for each state that no stage of a graph can continue with. The graph must not be used for a run
    /// afterwards.
    static func unusable(_ saved: [SavedStage], in graph: StageGraph) -> [(stage: String, reason: String)] {
        self.restore(saved, into: graph.states)
    }

    /// Processes a batch; while `body` runs, no state is saved.
    func around(_ body: () async throws -> Void) async throws {
        self.board.withLock { board in
            self.restoreLoaded(board.parts)
            board.isBusy = true
        }
        do {
            try await body()
        } catch {
            self.end(isBroken: true)
            throw error
        }
        self.end(isBroken: false)
    }

    private func end(isBroken: Bool) {
        let (waiting, saved) = self.board.withLock { board in
            board.isBusy = false
            board.isBroken = board.isBroken || isBroken
            let waiting = board.waiting
            board.waiting = []
            return (waiting, waiting.isEmpty ? nil : board.saved)
        }
        for one in waiting { one.resume(returning: saved) }
    }

    /// Returns the states after the batch in flight, or `nil` if that batch was given up.
    func saved() async -> [SavedStage]? {
        if self.isEmpty {
            // The states of stages that the file no longer has are reported.
            self.board.withLock { self.restoreLoaded($0.parts) }
            return []
        }
        return await withCheckedContinuation { continuation in
            let ready: ([SavedStage]?, isReady: Bool) = self.board.withLock { board in
                guard !board.isBusy else {
                    board.waiting.append(continuation)
                    return (nil, false)
                }
                self.restoreLoaded(board.parts)
                return (board.saved, true)
            }
            if ready.isReady { continuation.resume(returning: ready.0) }
        }
    }
}
