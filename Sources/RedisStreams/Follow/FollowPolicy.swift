import StageKit

/// What to do about a gap.
public enum GapPolicy: String, Sendable, CaseIterable {
    /// Empty the stores, answer nothing, and fill them again.
    case failClosed = "fail_closed"
    /// Fill the stores again while look-ups go on, then take out what was not seen again; where ids of before and after
    /// cannot be compared, empty them first.
    case resync
    /// Count it, log it, and go on behind the cursor.
    case goOn = "continue"
    /// End the run with an error.
    case halt
}

/// How stores are filled before the stream is followed.
public enum Bootstrap: Sendable, Equatable {
    /// Not at all: they hold what comes from the start on.
    case none
    /// With all that the stream holds.
    case stream
    /// With keys of the server, each of which holds what an entry would.
    case keys(KeyBootstrap)
}

/// Which keys a store is filled from.
public struct KeyBootstrap: Sendable, Equatable {
    /// How a key holds the fields.
    public enum Form: String, Sendable, CaseIterable {
        /// A hash: fields and values as they are.
        case hash
        /// A string with a flat JSON object: texts as they are, numbers and truth values as they are written, null left
        /// out.
        case json
    }

    /// The pattern of the keys, as SCAN takes it.
    public var match: String
    /// How they hold the fields.
    public var form = Form.hash
    /// The field that gets the part of the key behind the pattern's text before its first wildcard; nil for none.
    public var keyField: String?
    /// How many keys the server looks at in one step.
    public var count = 500

    /// The keys of a pattern, hashes.
    public init(match: String) {
        self.match = match
    }
}

/// What a follower goes by.
package struct FollowPolicy: Sendable, Equatable {
    /// Where the first read begins; nil to resume.
    package var start = StreamStart.tail
    /// How stores are filled.
    package var bootstrap = Bootstrap.none
    /// What to do about a gap.
    package var onGap = GapPolicy.failClosed

    /// What a follower goes by; nothing that is not set is done.
    package init(start: StreamStart = .tail, bootstrap: Bootstrap = .none, onGap: GapPolicy = .failClosed) {
        self.start = start
        self.bootstrap = bootstrap
        self.onGap = onGap
    }
}
