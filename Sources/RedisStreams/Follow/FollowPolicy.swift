import StageKit

/// How to respond to a gap.
public enum GapPolicy: String, Sendable, CaseIterable {
    /// Empty the stores, answer no lookups, and fill the stores again.
    case failClosed = "fail_closed"
    /// Refill the stores while lookups continue, then remove snapshots that were not seen again. If ids from before and
    /// after the gap cannot be compared, empty the stores first.
    case resync
    /// Count and log the gap, and continue after the cursor.
    case goOn = "continue"
    /// End the run with an error.
    case halt
}

/// How stores are filled before the stream is followed.
public enum Bootstrap: Sendable, Equatable {
    /// Not at all: they hold only the results of entries from the start on.
    case none
    /// From all entries of the stream.
    case stream
    /// From keys of the server, each of which holds the fields of an entry.
    case keys(KeyBootstrap)
}

/// The keys that stores are filled from.
public struct KeyBootstrap: Sendable, Equatable {
    /// The form in which a key holds the fields.
    public enum Form: String, Sendable, CaseIterable {
        /// A hash: fields and values unchanged.
        case hash
        /// A string with a flat JSON object: strings unchanged, numbers and booleans as written, null left out.
        case json
    }

    /// The pattern of the keys, in SCAN syntax.
    public var match: String
    /// The form in which the keys hold the fields.
    public var form = Form.hash
    /// The field that receives the rest of the key after the pattern's literal prefix, or `nil` for none.
    public var keyField: String?
    /// The number of keys that the server examines per step.
    public var count = 500

    /// Creates a bootstrap from the hashes whose keys match a pattern.
    public init(match: String) {
        self.match = match
    }
}

/// The policy of a follower.
package struct FollowPolicy: Sendable, Equatable {
    /// The start of the first read.
    package var start = StreamStart.tail
    /// How stores are filled.
    package var bootstrap = Bootstrap.none
    /// The response to a gap.
    package var onGap = GapPolicy.failClosed

    /// Creates a policy.
    package init(start: StreamStart = .tail, bootstrap: Bootstrap = .none, onGap: GapPolicy = .failClosed) {
        self.start = start
        self.bootstrap = bootstrap
        self.onGap = onGap
    }
}
