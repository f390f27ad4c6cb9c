import RESP
import StageKit

/// The key that shows other programs that a redis store is up to date.
///
/// The key holds a JSON object and expires when the last confirmation of freshness reaches the age `max_staleness`. The
/// key's name is the store's prefix alone. It cannot collide with a snapshot, because no session has an empty key. This
/// type does no I/O; the store sends the commands.
struct Heartbeat: Sendable, Equatable {
    /// The server's answer to a heartbeat.
    enum Answer: Equatable {
        /// The key exists until this time of the server, in milliseconds.
        case written(until: Int64)
        /// The confirmation expired before the command was executed.
        case late
        /// The key was removed before it expired.
        case removed
        /// The key holds something else.
        case foreign
    }

    /// The time until which the key must exist, by the server's clock in milliseconds, or 0 if it need not exist.
    private(set) var expectedUntil: Int64 = 0
    /// Whether the key was removed before it expired: another worker is emptying the store, or the server has lost
    /// data.
    private(set) var wasRemoved = false

    /// How many milliseconds early the key may disappear: the server's clock for expiry and its TIME can differ.
    private static let slack: Int64 = 100

    /// Processes an answer.
    mutating func take(_ answer: Answer) {
        switch answer {
        case .written(let until): self.expectedUntil = until - Self.slack
        case .removed: self.wasRemoved = true
        case .late, .foreign: break
        }
    }

    // MARK: Commands

    /// The beginning of the key's value, by which workers recognize a heartbeat.
    private static let signature = #"{"sluice":"heartbeat","#

    /// Returns the key's value.
    static func value(worker: String, cursor: EntryID?, serverTime: Int64, limit: Int64) -> [UInt8] {
        var bytes = Array(self.signature.utf8)
        JSONText.appendMember("worker", worker, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember("cursor", (cursor ?? .zero).description, to: &bytes)
        bytes += Array(#","time_ms":\#(serverTime),"limit_ms":\#(limit)}"#.utf8)
        return bytes
    }

    /// Without a value, returns the time of the server that holds the key. With a value, writes it for the remaining
    /// life of the confirmation, counted from that time, so that a delayed process or command cannot extend it. The
    /// script never shortens the life given by another worker's confirmation, and never overwrites anything but a
    /// heartbeat.
    private static let source = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        if #ARGV == 0 then return {'time', now} end
        local held = redis.pcall('GET', KEYS[1])
        if type(held) == 'table' then return {'foreign', now} end
        if held and string.sub(held, 1, #ARGV[5]) ~= ARGV[5] then return {'foreign', now} end
        if not held and now < tonumber(ARGV[4]) then return {'removed', now} end
        local left = redis.call('PTTL', KEYS[1])
        local px = tonumber(ARGV[2]) - math.max(0, now - tonumber(ARGV[3]))
        if px < 1 then return {'late', now} end
        if px > left then
            redis.call('SET', KEYS[1], ARGV[1], 'PX', px)
            left = px
        end
        return {'written', now + left}
        """

    private static let removal = """
        local held = redis.pcall('GET', KEYS[1])
        if type(held) ~= 'string' or string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
        return redis.call('DEL', KEYS[1])
        """

    /// Returns the command that asks for the server's time.
    static func time(key: [UInt8]) -> RESPCommand {
        RESPCommand("EVAL", arguments: [self.source.respBytes, 1.respBytes, key])
    }

    /// Returns the command that writes the value for `milliseconds`, counted from the server's time `asked`.
    func write(_ value: [UInt8], key: [UInt8], milliseconds: Int64, asked: Int64) -> RESPCommand {
        let numbers = [milliseconds, asked, self.expectedUntil].map { "\($0)".respBytes }
        return RESPCommand(
            "EVAL",
            arguments: [Self.source.respBytes, 1.respBytes, key, value] + numbers + [Self.signature.respBytes])
    }

    /// Returns the command that removes the key if it is a heartbeat.
    static func remove(key: [UInt8]) -> RESPCommand {
        RESPCommand("EVAL", arguments: [self.removal.respBytes, 1.respBytes, key, self.signature.respBytes])
    }

    /// Returns the server's time in an answer, in milliseconds, or `nil` if the answer has an unexpected form.
    static func time(_ answer: RESPValue) -> Int64? {
        guard let parts = answer.array, parts.count == 2, parts[0].string == "time" else { return nil }
        return parts[1].integer
    }

    /// Returns the meaning of an answer, or `nil` if the answer has an unexpected form.
    static func answer(_ answer: RESPValue) -> Answer? {
        guard let parts = answer.array, parts.count == 2, let number = parts[1].integer else { return nil }
        switch parts[0].string {
        case "written": return .written(until: number)
        case "late": return .late
        case "removed": return .removed
        case "foreign": return .foreign
        default: return nil
        }
    }
}
