import RESP
import StageKit

/// The key by which a redis store's worker tells other programs that the store is up to date.
///
/// It holds a JSON object and expires when the last proof of freshness is as old as `max_staleness` allows. Its name is
/// the store's prefix alone: no snapshot has it, because no session has an empty key. What this remembers is pure; the
/// store sends the commands.
struct Heartbeat: Sendable, Equatable {
    /// What the server did with a heartbeat.
    enum Answer: Equatable {
        /// The key is there until this time of the server, in milliseconds.
        case written(until: Int64)
        /// The proof had become too old on its way.
        case late
        /// The key had been removed before it expired.
        case removed
        /// The key is somebody else's.
        case foreign
    }

    /// Until when the key has to be there, by the server's clock in milliseconds; 0 if it need not be.
    private(set) var expectedUntil: Int64 = 0
    /// Whether the key was removed before it expired: another worker is emptying the store, or the server has lost data.
    private(set) var wasRemoved = false

    /// By how many milliseconds the key may be gone before its time: the server's clocks of expiry and TIME may differ.
    private static let slack: Int64 = 100

    /// Takes an answer.
    mutating func take(_ answer: Answer) {
        switch answer {
        case .written(let until): self.expectedUntil = until - Self.slack
        case .removed: self.wasRemoved = true
        case .late, .foreign: break
        }
    }

    // MARK: Commands

    /// What the key's value begins with: by it a worker knows a heartbeat.
    private static let mark = #"{"sluice":"heartbeat","#

    /// The value.
    static func value(worker: String, cursor: EntryID?, serverTime: Int64, limit: Int64) -> [UInt8] {
        var bytes = Array(self.mark.utf8)
        JSONText.appendMember("worker", worker, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember("cursor", (cursor ?? .zero).description, to: &bytes)
        bytes += Array(#","time_ms":\#(serverTime),"limit_ms":\#(limit)}"#.utf8)
        return bytes
    }

    /// Without a value, asks the time of the server that has the key. With one, writes it for what is left of the proof's
    /// life since that time was asked; a process or a command that was held up in between cannot make it live longer.
    /// It never shortens the life that another worker's proof gives the key, and touches nothing but a heartbeat.
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

    /// Asks the server's time.
    static func time(key: [UInt8]) -> RESPCommand {
        RESPCommand("EVAL", arguments: [self.source.respBytes, 1.respBytes, key])
    }

    /// Writes the value for `milliseconds` since the server's time was `asked`.
    func write(_ value: [UInt8], key: [UInt8], milliseconds: Int64, asked: Int64) -> RESPCommand {
        let numbers = [milliseconds, asked, self.expectedUntil].map { "\($0)".respBytes }
        return RESPCommand(
            "EVAL",
            arguments: [Self.source.respBytes, 1.respBytes, key, value] + numbers + [Self.mark.respBytes])
    }

    /// Removes the key, if it is a heartbeat.
    static func remove(key: [UInt8]) -> RESPCommand {
        RESPCommand("EVAL", arguments: [self.removal.respBytes, 1.respBytes, key, self.mark.respBytes])
    }

    /// The server's time in an answer, in milliseconds.
    static func time(_ answer: RESPValue) -> Int64? {
        guard let parts = answer.array, parts.count == 2, parts[0].string == "time" else { return nil }
        return parts[1].integer
    }

    /// What an answer says; nil if it is of another shape.
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
