import RESP
import StageKit

/// The Lua script that atomically applies a change to a snapshot, unless the server holds a newer state.
///
/// A snapshot is a hash under a single key, so that any slot of a cluster can hold it. The hash contains the event's
/// fields and `_entry`, the id of the entry they came from. An evicted key keeps only `_evicted`, the id of the
/// evicting entry, for a limited time. If several streams feed the store, both forms also contain `_stream`, the stream
/// of that entry. Ids are compared as text, first by length and then digit by digit, because Lua's numbers lack the
/// precision. A server that is out of memory refuses a snapshot before anything has changed, and never refuses an
/// eviction.
enum SnapshotScript {
    /// The field with the id of the entry that a snapshot came from.
    static let entryField = "_entry"
    /// The field with the id of the evicting entry; an evicted key has no other fields, except `_stream`.
    static let evictedField = "_evicted"

    /// The field with the stream of the last change, if several streams feed the store.
    static let streamField = "_stream"

    /// A change of a key.
    enum Change: String, Sendable {
        /// Write a snapshot.
        case upsert
        /// Remove the snapshot.
        case evict
    }

    /// The script's result.
    struct Result: Equatable, Sendable {
        /// The effect of the change.
        var change: StoreChange
        /// The key's previous state, or `nil` if there was none or it came from another stream.
        var held: Held?
        /// The stream that the key was last changed from, if the change was refused for that reason; otherwise `nil`.
        var foreign: String?
    }

    /// The state of a key.
    struct Held: Equatable, Sendable {
        /// The entry of the last change.
        var entry: EntryID
        /// Whether the key holds a snapshot, rather than the record of an eviction.
        var isLive: Bool
    }

    /// The script.
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

    /// The SHA-1 digest of `source`, for EVALSHA.
    static let digest = "0005ab748c9cfa4ff80d4912530a554e4e6a8a3c"

    /// Returns the command that makes a change.
    ///
    /// - Parameters:
    ///   - change: The change.
    ///   - key: The key on the server.
    ///   - entry: The entry that requests the change.
    ///   - milliseconds: How long the key is kept after the change, or 0 for no limit.
    ///   - fields: Names and values alternately; empty for an eviction.
    ///   - isWhole: Whether to send the script's source (EVAL) for a server that may not know the script, or its digest
    ///     (EVALSHA).
    ///   - stream: The entry's stream if several feed the store, otherwise empty.
    ///   - isOfHeldOnly: Whether an upsert may only replace an older state. If nothing is known of the key, the upsert
    ///     is refused as older.
    static func command(
        _ change: Change, key: [UInt8], entry: EntryID, milliseconds: Int64, fields: [[UInt8]] = [],
        isWhole: Bool = false, stream: String = "", isOfHeldOnly: Bool = false
    ) -> RESPCommand {
        let script = isWhole ? self.source : self.digest
        let word = isOfHeldOnly && change == .upsert ? "replace" : change.rawValue
        let head: [any RESPArgument] = [script, 1, key, word, entry.description, milliseconds, stream]
        return RESPCommand(isWhole ? "EVAL" : "EVALSHA", arguments: head.map(\.respBytes) + fields)
    }

    /// Returns the same command with the script's source.
    static func whole(_ command: RESPCommand) -> RESPCommand {
        RESPCommand("EVAL", arguments: [self.source.respBytes] + command.arguments.dropFirst(2))
    }

    /// Returns the meaning of the script's answer, or `nil` if the answer has an unexpected form.
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
