import RESP
import StageKit

/// The one step in which a server applies a change to a snapshot, unless it holds something newer.
///
/// A snapshot is a hash under one key, so that any slot of a cluster can hold it: the fields as they came, and `_entry`,
/// the id of the entry they came from. What was taken out leaves `_evicted` with the id of the entry that did it, and
/// nothing else, for a while. If several streams feed the store, both have `_stream`, the stream of that entry. Ids are compared as texts, by length and then digit by digit: Lua's numbers are too short
/// for them. A server without memory refuses a snapshot before anything has changed, and an eviction never.
enum SnapshotScript {
    /// The field with the id of the entry that a snapshot came from.
    static let entryField = "_entry"
    /// The only field of what was taken out: the id of the entry that did it.
    static let evictedField = "_evicted"

    /// The field with the stream that a key was last changed from, where several feed the store.
    static let streamField = "_stream"

    /// A change of what is under a key.
    enum Change: String, Sendable {
        /// Hold a snapshot.
        case upsert
        /// Take out what is there.
        case evict
    }

    /// What the server did.
    struct Result: Equatable, Sendable {
        /// What it did with the change.
        var change: StoreChange
        /// What was known of the key before; nil where nothing was, and of what another stream has left.
        var held: Held?
        /// The stream that holds the key, if the change was refused because it is another's.
        var foreign: String?
    }

    /// What is known of a key.
    struct Held: Equatable, Sendable {
        /// The entry that it was last changed by.
        var entry: EntryID
        /// Whether there is a snapshot, and not the memory of one.
        var isLive: Bool
    }

    /// What the server runs.
    static let source = """
        local function parts(id)
            local ms, seq = string.match(id, '^(%d+)%-(%d+)$')
            return ms or '', seq or ''
        end
        local function above(a, b)
            if #a ~= #b then return #a > #b end
            return a > b
        end
        local key, id, ttl, stream = KEYS[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
        local found = redis.call('HMGET', key, '_entry', '_evicted', '_stream')
        local live, held = found[1], found[1] or found[2] or ''
        local ms, seq = parts(id)
        local heldms, heldseq = parts(held)
        local same = ms == heldms and seq == heldseq
        local newer = above(ms, heldms) or (ms == heldms and above(seq, heldseq))
        local foreign = stream ~= '' and found[3] and found[3] ~= stream
        if foreign then held = '' end
        if ARGV[1] == 'evict' then
            if foreign or newer or (same and live) then
                redis.call('DEL', key)
                redis.call('HSET', key, '_evicted', id)
                if stream ~= '' then redis.call('HSET', key, '_stream', stream) end
                redis.call('PEXPIRE', key, ttl)
                return {'applied', held, live and 1 or 0}
            end
            return {same and 'repeated' or 'older', held, live and 1 or 0}
        end
        if foreign then return {'foreign', found[3], 0} end
        if newer then
            if held == '' and ARGV[1] == 'replace' then return {'older', '', 0} end
            redis.call('HSET', key, '_entry', id)
            redis.call('DEL', key)
            redis.call('HSET', key, '_entry', id, unpack(ARGV, 5))
            if stream ~= '' then redis.call('HSET', key, '_stream', stream) end
            if ttl > 0 then redis.call('PEXPIRE', key, ttl) end
            return {'applied', held, live and 1 or 0}
        end
        return {same and live and 'repeated' or 'older', held, live and 1 or 0}
        """

    /// The SHA-1 of `source`, by which a server that has run it once knows it.
    static let digest = "0005ab748c9cfa4ff80d4912530a554e4e6a8a3c"

    /// The command that makes a change.
    ///
    /// - Parameters:
    ///   - isWhole: Whether the script itself goes along, for a server that does not know it.
    ///   - milliseconds: How long the key is kept then, 0 for ever.
    ///   - fields: Names and values in turn, none for an eviction.
    ///   - stream: The entry's stream where several feed the store; empty where one does.
    ///   - isOfHeldOnly: Whether a snapshot only takes the place of an older one: a key of which nothing is known stays so.
    static func command(
        _ change: Change, key: [UInt8], entry: EntryID, milliseconds: Int64, fields: [[UInt8]] = [],
        isWhole: Bool = false, stream: String = "", isOfHeldOnly: Bool = false
    ) -> RESPCommand {
        let script = isWhole ? self.source : self.digest
        let word = isOfHeldOnly && change == .upsert ? "replace" : change.rawValue
        let head: [any RESPArgument] = [script, 1, key, word, entry.description, milliseconds, stream]
        return RESPCommand(isWhole ? "EVAL" : "EVALSHA", arguments: head.map(\.respBytes) + fields)
    }

    /// The same command with the script itself.
    static func whole(_ command: RESPCommand) -> RESPCommand {
        RESPCommand("EVAL", arguments: [self.source.respBytes] + command.arguments.dropFirst(2))
    }

    /// What the script's answer says, nil where it is of another shape.
    static func result(_ answer: RESPValue) -> Result? {
        guard let parts = answer.array, parts.count == 3, let held = parts[1].string, let live = parts[2].integer
        else { return nil }
        if parts[0].string == "foreign" { return Result(change: .older, held: nil, foreign: held) }
        let change: StoreChange
        switch parts[0].string {
        case "applied": change = .applied
        case "repeated": change = .repeated
        case "older": change = .older
        default: return nil
        }
        return Result(change: change, held: EntryID(held).map { Held(entry: $0, isLive: live == 1) })
    }
}
