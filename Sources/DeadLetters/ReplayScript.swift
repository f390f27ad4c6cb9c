import DeadLetterStage
import RESP
import StageKit

/// Replays a dead-letter entry: adds the original's fields to its stream and deletes the entry, in one atomic script.
///
/// The new entry has the original's id in its first field (`ReplayedEntry`), so that stores order it by that id.
///
/// An entry can be replayed only once, because it is deleted. Dead-letter entries are written at least once, so there
/// may be a second one for the same original; replayed originals are therefore remembered by stream and id, in a sorted
/// set next to the dead-letter stream. If a step fails, the script ends before anything is deleted: an XADD that the
/// server refuses has no effect. The three keys must be in the same slot of a cluster.
enum ReplayScript {
    /// The number of originals remembered, newest first; greater than the default limit of a dead-letter stream.
    static let memory = 200_000
    /// The maximum number of fields of an original: all of them are arguments of one XADD, and Lua's stack has room for
    /// 8,000 values.
    static let fieldLimit = 3_900

    /// The result of a replay.
    enum Result: Equatable {
        /// The original was added to its stream again, with this id.
        case added(String)
        /// The original was replayed before, from another dead-letter entry; this entry was deleted.
        case playedBefore
        /// The dead-letter entry does not exist: it was replayed or purged.
        case gone
        /// The entry is not a dead-letter entry that can be replayed.
        case unfit
        /// The original belongs to a stream that the pipeline does not read.
        case foreign
        /// The original's id is greater than the ids that its stream assigns now: it belongs to a previous stream under
        /// the same key.
        case newer
        /// The original has more than `fieldLimit` fields.
        case tooLarge
        /// The worker added the event: its stream has no entry that could be added again.
        case addedByWorker
        /// The entry lacks a part of the original.
        case incomplete
        /// The event is that of an element, with this id, and the whole original may not be replayed.
        case element(String)
        /// The server refused the replay for this reason; nothing has changed.
        case refused(String)
    }

    /// The key of the set that remembers the replayed originals of a dead-letter stream.
    static func memoryKey(of deadLetters: String) -> String { "\(deadLetters):played" }

    private static let source = """
        local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
        if #found == 0 then return {'gone', ''} end
        local values, prefix = found[1][2], ARGV[2]
        local stream, id, original, fields = nil, nil, nil, {}
        for i = 1, #values, 2 do
            if string.sub(values[i], 1, #prefix) == prefix then
                fields[#fields + 1] = string.sub(values[i], #prefix + 1)
                fields[#fields + 1] = values[i + 1]
            elseif values[i] == ARGV[3] then stream = values[i + 1]
            elseif values[i] == ARGV[4] then id = values[i + 1]
            elseif values[i] == ARGV[7] then original = values[i + 1] end
        end
        if stream ~= KEYS[2] or not id or #fields == 0 then return {'unfit', ''} end
        local member = stream .. ' ' .. id
        local played, added = redis.call('ZSCORE', KEYS[3], member), ''
        if not played then
            added = redis.call('XADD', KEYS[2], '*', ARGV[8], original or id, unpack(fields))
            redis.call('ZADD', KEYS[3], ARGV[5], member)
            redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -ARGV[6] - 1)
        end
        redis.call('XDEL', KEYS[1], ARGV[1])
        return {played and 'before' or 'added', added}
        """

    /// Returns the command that replays an entry; `now` is milliseconds since the epoch.
    static func command(deadLetters: String, entry: EntryID, original: String, now: Int64) -> RESPCommand {
        RESPCommand(
            "EVAL", self.source, 3, deadLetters, original, self.memoryKey(of: deadLetters), entry.description,
            DeadLetter.fieldPrefix, DeadLetter.stream, DeadLetter.id, now, self.memory, DeadLetter.original,
            ReplayedEntry.field)
    }

    /// Parses the script's reply; returns `nil` if it is malformed.
    static func result(_ answer: RESPValue) -> Result? {
        guard let parts = answer.array?.map(\.string), parts.count == 2, let word = parts[0], let id = parts[1] else {
            return nil
        }
        return switch word {
        case "added": .added(id)
        case "before": .playedBefore
        case "gone": .gone
        case "unfit": .unfit
        default: nil
        }
    }
}
