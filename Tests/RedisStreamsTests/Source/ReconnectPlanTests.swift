import ComponentKit
import RESP
import StageKit
import Testing

@testable import RedisClient
@testable import RedisStreams

@Suite struct ReconnectPlanTests {
    private static let silence = RedisError(.timedOut, "no answer in time", isTransient: true)

    private func plan(_ attempts: Int) -> ReconnectPlan {
        var settings = ReconnectSettings()
        settings.attempts = attempts
        return ReconnectPlan(settings)
    }

    /// Whether the run ends after a failure.
    private static func fails(_ plan: inout ReconnectPlan, _ error: RedisError, _ reduction: RequestReduction) -> Bool {
        (try? plan.delay(after: error, reduction)) == nil
    }

    @Test("Failures after which less is requested do not count as attempts")
    func reductions() throws {
        var plan = self.plan(2)
        for _ in 0..<17 { _ = try plan.delay(after: Self.silence, .possible) }
        _ = try plan.delay(after: Self.silence, .none)
        _ = try plan.delay(after: Self.silence, .possible)
        _ = try plan.delay(after: Self.silence, .none)
        #expect(Self.fails(&plan, Self.silence, .none))
    }

    @Test("A permanent failure ends the run, even after a reduction")
    func permanent() {
        var plan = self.plan(2)
        #expect(Self.fails(&plan, RedisError(.permission, "no", isTransient: false), .possible))
    }

    @Test(
        "The server's clock is that of INFO, and unknown without it",
        arguments: [
            ("# Server\r\nrun_id:abc\r\nserver_time_usec:1800000001500000\r\n", 1.5),
            ("# Server\r\nserver_time_usec:1799999999000000\r\n", -1), ("# Server\r\nrun_id:abc\r\n", nil),
            ("server_time_usec:soon\r\n", nil), ("", nil),
        ] as [(String, Double?)])
    func clock(info: String, offset: Double?) {
        let answer = RESPValue.bulk(Array(info.utf8))
        #expect(ServerIdentity.clockOffset(answer, localMilliseconds: 1_800_000_000_000) == offset)
        #expect(ServerIdentity.runID(answer) == (info.contains("run_id") ? "abc" : nil))
    }

    @Test("A refused INFO gives no facts")
    func refused() {
        #expect(ServerIdentity.clockOffset(.error("NOPERM"), localMilliseconds: 0) == nil)
    }

    @Test("Known pending entries are kept without a connection; their absence is not")
    func lost() {
        var board = SourceBoard()
        board.status.isCaughtUp = true
        board.status.lagEntries = 0
        board.lost(Self.silence)
        #expect(board.status.lagEntries == nil && !board.status.isCaughtUp && board.status.state == .connecting)
        board.status.lagEntries = 7
        board.lost(Self.silence)
        #expect(board.status.lagEntries == 7)
    }

    private static let limit = Duration.seconds(60)

    /// A failure of credentials with which the run was connected before, so that it is retried for a limited time.
    private func retried() throws -> RedisError {
        var settings = RedisSettings(address: try RedisAddress("a:1"))
        settings.credentialTimeout = Self.limit
        let record = CredentialPolicy(settings, in: ConnectionHistory())
        record.accepted()
        return record.judged(.answer("WRONGPASS invalid username-password pair or user is disabled.", to: "AUTH"))
    }

    @Test("Failing credentials that alternate with other failures reach their limit")
    func alternating() throws {
        let (error, start) = (try self.retried(), ContinuousClock.now)
        var plan = ReconnectPlan(ReconnectSettings())
        for second in stride(from: 0, to: 60, by: 2) {
            _ = try plan.delay(after: error, at: start + .seconds(second))
            _ = try plan.delay(after: .closedHere, at: start + .seconds(second + 1))
        }
        #expect(throws: RedisError.self) { try plan.delay(after: error, at: start + Self.limit) }
    }

    @Test("A reader's plan retries until the time is over, also for a stream that was never connected itself")
    func plan() throws {
        let (error, start) = (try self.retried(), ContinuousClock.now)
        var plan = ReconnectPlan(ReconnectSettings())
        _ = try plan.delay(after: error, at: start)
        _ = try plan.delay(after: error, at: start + .seconds(59))
        plan.succeeded(isAtEnd: false)
        _ = try plan.delay(after: error, at: start + .seconds(100))
        #expect(throws: RedisError.self) { try plan.delay(after: error, at: start + .seconds(160)) }
        var counted = ReconnectSettings()
        counted.attempts = 1
        var short = ReconnectPlan(counted)
        _ = try short.delay(after: error, at: start)
        let given = #expect(throws: RedisError.self) { try short.delay(after: error, at: start) }
        #expect(given?.message.contains("reconnect.attempts") == true)
    }
}
