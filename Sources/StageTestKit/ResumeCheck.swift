import ComponentKit
import StageKit

/// Checks a source that starts at the bookmark of a checkpoint.
enum ResumeCheck {
    /// Returns the violations of the sources that `make` returns; there are none if they do not start at a checkpoint.
    static func violations(
        _ make: (SourceSurroundings) throws -> any EventSource, _ entries: Int
    ) async throws -> [String] {
        let source = try make(SourceSurroundings())
        guard source.startsAtCheckpoint else { return [] }
        let all = try await SourceCheck.ids(of: source, entries)
        return try await self.resuming(make, all) + self.starting(make)
    }

    /// Checks that a source continues behind its bookmark.
    private static func resuming(
        _ make: (SourceSurroundings) throws -> any EventSource, _ all: [EntryID]
    ) async throws -> [String] {
        let first = try make(SourceSurroundings())
        let before = try await SourceCheck.ids(of: first, 1)
        guard let bookmark = first.bookmark else {
            return ["startsAtCheckpoint is true, but bookmark is nil after a batch: no checkpoint is ever saved"]
        }
        let surroundings = SourceSurroundings(RecordingCheckpoint(bookmark: bookmark.text))
        let after = try await SourceCheck.ids(of: make(surroundings), 1)
        guard surroundings.checkpoint.calls.contains(.load) else {
            return ["startsAtCheckpoint is true, but the source does not load the checkpoint"]
        }
        var found: [String] = []
        if surroundings.checkpoint.calls.contains(.takeStages) {
            found.append("the source discards the states of stages (takeStages) of a checkpoint that it uses")
        }
        // Only a source that delivers the same entries in each run shows what comes next.
        guard all.starts(with: before), before.count < all.count else { return found }
        let next = all[before.count]
        if let id = after.first, id > next {
            found.append("after a restart, the source skips the entry \(next): it begins with \(id)")
        } else if after.isEmpty {
            found.append("after a restart, the source does not deliver the entry \(next)")
        }
        return found
    }

    /// Checks that a source starts without a checkpoint that it cannot use, and reports a gap.
    private static func starting(_ make: (SourceSurroundings) throws -> any EventSource) async throws -> [String] {
        var found: [String] = []
        for (what, checkpoint) in [
            ("a damaged checkpoint", RecordingCheckpoint(failure: CheckpointFailure("damaged"))),
            ("a bookmark of another source", RecordingCheckpoint(bookmark: "another source\u{0}")),
        ] {
            let surroundings = SourceSurroundings(checkpoint)
            let source = try make(surroundings)
            do {
                _ = try await SourceCheck.ids(of: source, 1)
            } catch {
                found.append("\(what) ends the run: \(error)")
                continue
            }
            if source.status.gaps.isEmpty { found.append("\(what) is not reported as a gap") }
            if !surroundings.store.wasEmptied {
                found.append("\(what) does not empty the stores: call removeAll, then finishRemoval")
            }
            if !checkpoint.calls.contains(.discard) { found.append("\(what) is not discarded") }
            if !checkpoint.calls.contains(.takeStages) {
                found.append("the states of stages in \(what) are not discarded: call takeStages")
            }
        }
        return found
    }
}
