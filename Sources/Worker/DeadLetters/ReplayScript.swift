import DeadLetterStage
import RESP
import StageKit

/// Plays a letter again: adds the original's fields to its stream and takes the letter away, in one step of the server.
///
/// The new entry has the original's id in its first field (`ReplayedEntry`), so that stores order it by that id.
///
/// A letter can be played once, for it is gone afterwards. So that a second letter of the same original (letters are
/// written at least once) does not bring it a second time, what was played is remembered in a sorted set beside the
/// letters, by stream and id. Where a step fails the script ends before anything is taken away: the server refuses an
/// XADD without having done anything. The three keys must lie in one slot of a cluster.
enum ReplayScript {
    /// Originals remembered, the newest: more than letters are kept by default.
    static let memory = 200_000
    /// The most fields of an original: all of them are arguments of one XADD, of which Lua's stack takes 8,000.
    static let fieldLimit = 3_900

    /// What became of a letter.
    enum Result: Equatable {
        /// The original stands in its stream again, under this id.
        case added(String)
        /// Its original was played before, from another letter; the letter was taken away.
        case playedBefore
        /// There is no such letter: it was played or purged.
        case gone
        /// The entry is not a letter that can be played.
        case unfit
        /// The original is of a stream that the pipeline does not read.
        case foreign
        /// The original's id is above the ids that its stream gives now: it was of another stream under the same key.
        case newer
        /// The original has more than `fieldLimit` fields.
        case tooLarge
        /// The server has refused it, for this reason; nothing has changed.
        case refused(String)
    }

    /// Where the memory of a dead-letter stream is.
    static func memoryKey(of letters: String) -> String { "\(letters):played" }

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

    /// The command that plays a letter; `now` is milliseconds since the epoch.
    static func command(letters: String, letter: EntryID, original: String, now: Int64) -> RESPCommand {
        RESPCommand(
            "EVAL", self.source, 3, letters, original, self.memoryKey(of: letters), letter.description,
            DeadLetter.fieldPrefix, DeadLetter.stream, DeadLetter.id, now, self.memory, DeadLetter.original,
            ReplayedEntry.field)
    }

    /// What the script's answer says, nil where it is of another shape.
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
