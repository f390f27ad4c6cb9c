import ComponentKit
import StageKit
import Testing

@testable import RedisClient

@Suite struct CredentialPolicyTests {
    private static let limit = Duration.seconds(60)

    private static func settings(_ address: String = "a:1", _ change: (inout RedisSettings) -> Void = { _ in })
        throws -> RedisSettings
    {
        var settings = RedisSettings(address: try RedisAddress(address))
        settings.credentialTimeout = Self.limit
        change(&settings)
        return settings
    }

    private static let failures: [(RedisError, String)] = [
        (.answer("WRONGPASS invalid username-password pair or user is disabled.", to: "AUTH"), "login"),
        (.answer("NOAUTH Authentication required.", to: "PING"), "login"),
        (.answer("ERR AUTH <password> called without any password configured", to: "AUTH"), "login"),
        (
            RedisError.answer("NOPERM this user has no permissions to run the 'select' command", to: "SELECT").asLogin,
            "login"
        ),
        (RedisError.answer("ERR DB index is out of range", to: "SELECT").asLogin, "login"),
        (RedisError.answer("DENIED Redis is running in protected mode", to: "PING").asLogin, "login"),
        (.handshake("CERTIFICATE_VERIFY_FAILED", .unix(path: "/s"), nil, now: 0), "certificate"),
        (.handshake("TLSV1_ALERT_UNKNOWN_CA", .unix(path: "/s"), nil, now: 0), "certificate"),
        (.otherName(.unix(path: "/s"), "x"), "certificate"),
    ]

    @Test(
        "Failing credentials are permanent until a connection succeeds with them, and are retried afterwards",
        arguments: failures)
    func judged(error: RedisError, reason: String) throws {
        let history = ConnectionHistory()
        let record = CredentialPolicy(try Self.settings(), in: history)
        let first = record.judged(error)
        #expect(!first.isTransient && !first.isCredentialRetry && first.message == error.message)
        record.accepted()
        let later = record.judged(error)
        #expect(later.isTransient && later.isCredentialRetry && later.code == error.code)
        #expect(history.failures == [reason: 2])
        // A decision is not made again.
        #expect(record.judged(later) == later && record.judged(first) == first)
        #expect(history.failures == [reason: 2])
    }

    @Test("Other errors are unchanged and not counted")
    func others() throws {
        let history = ConnectionHistory()
        let record = CredentialPolicy(try Self.settings(), in: history)
        record.accepted()
        for error: RedisError in [
            .answer("WRONGTYPE Operation", to: "XREAD"), .answer("NOPERM no", to: "XREAD"), .closedHere,
            .answer("LOADING wait", to: "PING").asLogin,
        ] {
            #expect(record.judged(error) == error)
        }
        #expect(history.failures.isEmpty)
    }

    @Test("Components with the same settings share the record; a limit of zero ends immediately")
    func sharing() throws {
        let history = ConnectionHistory()
        CredentialPolicy(try Self.settings(), in: history).accepted()
        let error = Self.failures[0].0
        #expect(CredentialPolicy(try Self.settings(), in: history).judged(error).isTransient)
        #expect(!CredentialPolicy(try Self.settings("b:1"), in: history).judged(error).isTransient)
        #expect(
            !CredentialPolicy(try Self.settings { $0.password = Secret("p") }, in: history).judged(error).isTransient)
        #expect(!CredentialPolicy(try Self.settings(), in: ConnectionHistory()).judged(error).isTransient)
        let strict = try Self.settings { $0.credentialTimeout = .zero }
        CredentialPolicy(strict, in: history).accepted()
        #expect(!CredentialPolicy(strict, in: history).judged(error).isTransient)
    }

    /// A failure that is retried.
    private func retried() throws -> RedisError {
        let record = CredentialPolicy(try Self.settings(), in: ConnectionHistory())
        record.accepted()
        return record.judged(Self.failures[0].0)
    }

    @Test("The time begins with the first failure of the credentials, and only a success ends it")
    func patience() throws {
        let (error, start) = (try self.retried(), ContinuousClock.now)
        var patience = CredentialPatience()
        try patience.failed(.closedHere, at: start - .seconds(3600))
        try patience.failed(error, at: start)
        try patience.failed(error, at: start + Self.limit - .seconds(1))
        patience.reset()
        try patience.failed(error, at: start + Self.limit * 3)
        try patience.failed(.closedHere, at: start + Self.limit * 4)
        let end = #expect(throws: RedisError.self) { try patience.failed(error, at: start + Self.limit * 4) }
        #expect(end?.isTransient == false && end?.code == .authentication)
        #expect(
            end?.message.hasPrefix("gave up after 1m (redis.credential_timeout): AUTH: ") == true,
            "\(end?.message ?? "")")
    }

    @Test("Failures that alternate with others reach the limit; an outage in between does not count")
    func alternating() throws {
        let (error, start) = (try self.retried(), ContinuousClock.now)
        var patience = CredentialPatience()
        for second in stride(from: 0, to: 60, by: 2) {
            try patience.failed(error, at: start + .seconds(second))
            try patience.failed(.closedHere, at: start + .seconds(second + 1))
        }
        let end = start + Self.limit
        #expect(throws: RedisError.self) { try patience.failed(error, at: end) }
        var outage = CredentialPatience()
        try outage.failed(error, at: start)
        for second in 1...3600 { try outage.failed(.closedHere, at: start + .seconds(second)) }
        try outage.failed(error, at: start + .seconds(3601))
    }

    @Test(
        "Servers that all refuse the credentials are a failure of credentials; one that is unreachable may accept them")
    func inquiry() throws {
        let (refused, a, b) = (try self.retried(), try RedisAddress("a:1"), try RedisAddress("b:1"))
        var all = Inquiry([a, b])
        all.failed(a, refused)
        all.failed(b, refused)
        #expect(all.failure("none").isCredentialRetry)
        var some = Inquiry([a, b])
        some.failed(a, refused)
        some.failed(b, RedisError(.connectFailed, "no", isTransient: true))
        #expect(some.failure("none").isTransient && !some.failure("none").isCredentialRetry)
        var none = Inquiry([a])
        none.failed(a, Self.failures[0].0)
        #expect(!none.failure("none").isTransient)
    }
}
