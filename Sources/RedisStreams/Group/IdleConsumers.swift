import RESP
import RedisClient
import StageKit

/// Decides when and how to remove the consumers of workers that no longer exist from a group. Pure.
///
/// A worker that is killed stays in the group's list, and every container with a new name adds one. A consumer is
/// removed if it has no pending entries and has sent no command for `limit`. It is never this worker's own.
///
/// A script checks and removes in one step. For a user who may run no script, a consumer must meet these conditions in
/// two checks in a row before it is removed, see `GroupReader.removeOneByOne`; a user who may not query the consumers
/// removes none.
struct IdleConsumers: Sendable, Equatable {
    /// How the consumers are removed, in order of preference.
    enum Form: Sendable, Equatable {
        case script, commands, off
    }

    /// Maximum number of consumers to remove at a time; the server serves no other client during the script.
    static let countAtOnce = 100
    /// The number of checks per `limit`: a consumer is removed at most a small part of the limit late.
    private static let checksPerLimit = 24

    /// Returns the names of the removed consumers. An error reply is returned unchanged.
    private static let script = """
        local r = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
        if r.err then return r end
        local removed = {}
        for _, consumer in ipairs(r) do
          local f = {}
          for i = 1, #consumer, 2 do f[consumer[i]] = consumer[i + 1] end
          if f.name ~= ARGV[2] and f.pending == 0 and f.idle >= tonumber(ARGV[3]) then
            local done = redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], f.name)
            if type(done) == 'table' and done.err then return done end
            removed[#removed + 1] = f.name
            if #removed == tonumber(ARGV[4]) then break end
          end
        end
        return removed
        """

    /// How long a consumer without pending entries must have been idle.
    let limit: Duration
    private let interval: Duration
    /// How the consumers are removed.
    private(set) var form: Form
    private var next: ContinuousClock.Instant?
    /// The consumers that were idle at the last check without a script.
    private var idle: Set<String> = []

    /// Creates the decision for a group. A live worker sends a command at least once per `surveyInterval`, and a
    /// heartbeat four times per `claim_after`, so a shorter limit than four times the longer of both is raised.
    init(_ group: GroupSettings, surveyInterval: Duration) {
        let limit = group.removeConsumersAfter.map { max($0, max(group.claimAfter, surveyInterval) * 4) }
        self.limit = limit ?? .zero
        self.interval = self.limit / Self.checksPerLimit
        self.form = limit == nil ? .off : .script
    }

    /// Returns whether a check is due, and schedules the next one if it is.
    mutating func isDue(at now: ContinuousClock.Instant) -> Bool {
        guard self.form != .off, self.next.map({ now >= $0 }) ?? true else { return false }
        self.next = now + self.interval
        return true
    }

    /// Handles an error reply; returns whether to try again now, in the next form.
    mutating func refused(_ error: RedisError) -> Bool {
        // The next check may succeed.
        if error.isTransient { return false }
        self.form = self.form == .script ? .commands : .off
        return self.form != .off
    }

    /// Returns the script that removes idle consumers.
    func removal(_ commands: GroupCommands) -> RESPCommand {
        let arguments = [
            Self.script, "1", commands.stream, commands.group, commands.consumer,
            "\(self.limit.microseconds / 1000)", "\(Self.countAtOnce)",
        ]
        return RESPCommand("EVAL", arguments: arguments.map(\.respBytes))
    }

    /// Returns those of the idle consumers that were idle at the last check as well.
    mutating func idleAgain(_ names: [String]) -> [String] {
        defer { self.idle = Set(names) }
        return names.filter { self.idle.contains($0) }
    }

    /// Returns the names of the idle consumers, from the reply to XINFO CONSUMERS; `nil` for an unexpected reply.
    func candidates(_ answer: RESPValue, own: String) -> [String]? {
        guard let rows = answer.array else { return nil }
        var names: [String] = []
        for row in rows {
            guard let list = row.array, list.count % 2 == 0 else { return nil }
            var members: [String: RESPValue] = [:]
            for index in stride(from: 0, to: list.count, by: 2) {
                if let name = list[index].string { members[name] = list[index + 1] }
            }
            guard let name = members["name"]?.string, let pending = members["pending"]?.integer,
                let idle = members["idle"]?.integer
            else { return nil }
            if name != own, pending == 0, .milliseconds(idle) >= self.limit { names.append(name) }
        }
        return Array(names.prefix(Self.countAtOnce))
    }
}
