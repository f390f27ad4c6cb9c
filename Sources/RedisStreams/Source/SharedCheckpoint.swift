import ComponentKit
import StageKit
import Synchronization

/// The checkpoint of a source of several streams: loaded once, with its bookmark split by stream.
///
/// The combined bookmark is the bookmarks of all streams, separated by empty lines.
final class SharedCheckpoint: Sendable {
    private static let separator = "\n\n"

    private let keeper: any CheckpointKeeper
    private let count: Int
    private let loaded = Mutex<Result<[String]?, CheckpointFailure>?>(nil)

    /// Creates a checkpoint for `count` streams.
    init(_ keeper: any CheckpointKeeper, streams count: Int) {
        self.keeper = keeper
        self.count = count
    }

    /// Fills the stores on the first call; returns the bookmark of a stream, or `nil` if there is no checkpoint.
    ///
    /// - Throws: `CheckpointFailure`, for every stream, if the checkpoint cannot be used.
    func load(_ stream: Int) throws -> String? {
        let parts = try self.loaded.withLock { loaded -> Result<[String]?, CheckpointFailure> in
            if let loaded { return loaded }
            let result: Result<[String]?, CheckpointFailure>
            do {
                result = try Self.parts(try self.keeper.load(), count: self.count)
            } catch let failure as CheckpointFailure {
                result = .failure(failure)
            }
            loaded = result
            return result
        }
        return try parts.get()?[stream]
    }

    /// Combines the bookmarks of all streams; returns `nil` if a stream has none.
    static func bookmark(_ bookmarks: [SourceBookmark?]) -> SourceBookmark? {
        let all = bookmarks.compactMap(\.self)
        guard all.count == bookmarks.count, let cursor = all.map(\.cursor).min() else { return nil }
        return SourceBookmark(
            epoch: all.reduce(0) { $0 &+ $1.epoch }, cursor: cursor,
            text: all.map(\.text).joined(separator: self.separator))
    }

    private static func parts(_ text: String?, count: Int) throws(CheckpointFailure) -> Result<
        [String]?, CheckpointFailure
    > {
        guard let text else { return .success(nil) }
        let parts = text.split(separator: self.separator, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == count else {
            throw CheckpointFailure("it belongs to \(parts.count) streams, but the source has \(count)")
        }
        return .success(parts)
    }
}
