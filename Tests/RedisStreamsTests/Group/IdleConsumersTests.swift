import RESP
import RedisClient
import StageKit
import Testing

@testable import RedisStreams

@Suite struct IdleConsumersTests {
    private func group(_ after: Duration?, claimAfter: Duration = .seconds(30)) -> GroupSettings {
        var group = GroupSettings(name: "g")
        group.removeConsumersAfter = after
        group.claimAfter = claimAfter
        return group
    }

    private func row(_ name: String, pending: Int64, idle: Int64) -> RESPValue {
        .array([
            .bulk(Array("name".utf8)), .bulk(Array(name.utf8)), .bulk(Array("pending".utf8)),
            .integer(pending), .bulk(Array("idle".utf8)), .integer(idle),
            // Redis 7.2 and newer.
            .bulk(Array("inactive".utf8)), .integer(-1),
        ])
    }

    @Test("Only consumers that are idle, have nothing pending and are not the own one are removed")
    func candidates() {
        let idle = IdleConsumers(self.group(.seconds(3600)), surveyInterval: .seconds(1))
        let answer = RESPValue.array([
            self.row("own", pending: 0, idle: 9_000_000), self.row("busy", pending: 1, idle: 9_000_000),
            self.row("young", pending: 0, idle: 3_599_999), self.row("dead", pending: 0, idle: 3_600_000),
            self.row("long dead", pending: 0, idle: .max),
        ])
        #expect(idle.candidates(answer, own: "own") == ["dead", "long dead"])
        #expect(idle.candidates(.array([.array([.integer(1)])]), own: "own") == nil)
        #expect(idle.candidates(.integer(1), own: "own") == nil)
        let many = RESPValue.array((0..<1000).map { self.row("\($0)", pending: 0, idle: .max) })
        #expect(idle.candidates(many, own: "own")?.count == IdleConsumers.countAtOnce)
    }

    @Test(
        "The limit is never shorter than a live worker may be silent",
        arguments: [
            (3600, 30, 1, 3600), (1, 30, 1, 120), (1, 1, 60, 240), (86_400, 86_400, 1, 345_600), (0, 1, 1, 4),
        ] as [(Int, Int, Int, Int)])
    func limit(after: Int, claimAfter: Int, interval: Int, seconds: Int) {
        let group = self.group(.seconds(after), claimAfter: .seconds(claimAfter))
        #expect(IdleConsumers(group, surveyInterval: .seconds(interval)).limit == .seconds(seconds))
    }

    @Test("Checks are made a limited number of times, and none is made if it is off")
    func schedule() {
        var idle = IdleConsumers(self.group(.seconds(2400)), surveyInterval: .seconds(1))
        let start = ContinuousClock.now
        let due = [0, 99, 100, 101, 250].map { idle.isDue(at: start + .seconds($0)) }
        #expect(due == [true, false, true, false, true])
        var off = IdleConsumers(self.group(nil), surveyInterval: .seconds(1))
        let isDue = off.isDue(at: start)
        #expect(!isDue)
    }

    @Test("Refused scripts are replaced by commands, refused commands disable upkeep, and temporary errors do neither")
    func forms() {
        var idle = IdleConsumers(self.group(.seconds(2400)), surveyInterval: .seconds(1))
        var forms: [IdleConsumers.Form] = []
        var retries: [Bool] = []
        for text in ["LOADING Redis is loading the dataset in memory", "NOPERM no 'eval'", "NOPERM no 'xinfo'"] {
            retries.append(idle.refused(.answer(text, to: "EVAL")))
            forms.append(idle.form)
        }
        #expect(retries == [false, true, false])
        #expect(forms == [.script, .commands, .off])
        let isDue = idle.isDue(at: .now)
        #expect(!isDue)
    }

    @Test("Without a script a consumer is removed only if it was idle in two checks in a row")
    func twice() {
        var idle = IdleConsumers(self.group(.seconds(2400)), surveyInterval: .seconds(1))
        let checks = [["a", "b"], ["b", "c"], [], ["b", "c"], ["c"]]
        let removed = checks.map { idle.idleAgain($0) }
        #expect(removed == [[], ["b"], [], [], ["c"]])
    }

    @Test("Nothing is pending after the greatest id, and the server is not asked for an empty range")
    func greatestID() {
        let commands = GroupCommands(stream: "s", group: "g", consumer: "c")
        #expect(commands.own(after: .max) == nil)
        let before = EntryID(milliseconds: .max, sequence: .max - 1)
        let query = commands.own(after: before)
        #expect(query?.arguments.contains(Array("(18446744073709551615-18446744073709551614".utf8)) == true)
    }
}
