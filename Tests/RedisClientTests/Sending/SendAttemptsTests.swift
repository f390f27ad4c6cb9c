import ComponentKit
import StageKit
import Testing

@testable import RedisClient

@Suite struct SendAttemptsTests {
    private static let start = ContinuousClock.now
    private static let cut = RedisError(.closed, "cut", isTransient: true)

    /// A refused login that is retried for a minute.
    private func refused() throws -> RedisError {
        var settings = RedisSettings(address: try RedisAddress("a:1"))
        settings.credentialTimeout = .seconds(60)
        let record = CredentialPolicy(settings, in: ConnectionHistory())
        record.accepted()
        return record.judged(.answer("WRONGPASS invalid username-password pair", to: "AUTH"))
    }

    /// When attempts are given up, and whether that ends the run.
    private struct End: Equatable {
        var second: Int
        var isPermanent: Bool
    }

    /// Fails with these errors in turn, once per second.
    private func end(_ patience: Duration?, _ errors: [RedisError]) -> End? {
        var attempts = SendAttempts(patience)
        attempts.began(at: Self.start)
        for second in 1...1000 {
            let error = errors[(second - 1) % errors.count]
            do throws(RedisError) {
                let delay = try attempts.next(after: error, at: Self.start + .seconds(second))
                if delay == nil { return End(second: second, isPermanent: false) }
            } catch {
                return End(second: second, isPermanent: true)
            }
        }
        return nil
    }

    @Test("A failing connection is given up after the patience, failing credentials only after their own limit")
    func single() throws {
        let refused = try self.refused()
        #expect(self.end(.seconds(30), [Self.cut]) == End(second: 30, isPermanent: false))
        #expect(self.end(.seconds(30), [refused]) == End(second: 61, isPermanent: true))
        #expect(self.end(nil, [Self.cut]) == nil)
    }

    @Test("Two kinds of failure that alternate reach a limit")
    func alternating() throws {
        let refused = try self.refused()
        #expect(self.end(.seconds(30), [refused, Self.cut]) == End(second: 32, isPermanent: false))
        #expect(self.end(.seconds(3600), [refused, Self.cut]) == End(second: 61, isPermanent: true))
        #expect(self.end(nil, [Self.cut, refused]) == End(second: 62, isPermanent: true))
        #expect(self.end(nil, [Self.cut, Self.cut, refused])?.isPermanent == true)
    }

    @Test("Progress and success start the time again")
    func progress() throws {
        var attempts = SendAttempts(.seconds(30))
        attempts.began(at: Self.start)
        var delays = [try attempts.next(after: Self.cut, at: Self.start + .seconds(29))]
        attempts.progressed(at: Self.start + .seconds(29))
        delays.append(try attempts.next(after: Self.cut, at: Self.start + .seconds(58)))
        attempts.succeeded(at: Self.start + .seconds(58))
        delays.append(try attempts.next(after: Self.cut, at: Self.start + .seconds(87)))
        delays.append(try attempts.next(after: Self.cut, at: Self.start + .seconds(88)))
        #expect(delays.map { $0 != nil } == [true, true, true, false])
    }
}
