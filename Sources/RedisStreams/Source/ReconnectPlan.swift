import ComponentKit
package import RedisClient
import StageKit

/// Decides how long to wait before reconnecting, or before reopening a stream with a gap, and when to give up. Pure.
package struct ReconnectPlan {
    private let settings: ReconnectSettings
    private var backoff: Backoff
    private var credentialPatience = CredentialPatience()
    private var failures = 0
    /// Whether a gap was found since the stream was last read to its end; if so, the next gap is followed by a delay.
    private var isAfterGap = false
    /// Whether there has been a connection.
    package private(set) var wasConnected = false

    /// Creates a plan without failures.
    package init(_ settings: ReconnectSettings) {
        self.settings = settings
        self.backoff = Backoff(first: settings.firstDelay, cap: settings.maximumDelay)
    }

    /// Records a new connection; returns whether there was one before.
    package mutating func connected() -> Bool {
        defer { self.wasConnected = true }
        return self.wasConnected
    }

    /// Records a successful read; earlier failures no longer count.
    package mutating func succeeded(isAtEnd: Bool) {
        self.failures = 0
        self.credentialPatience.reset()
        if isAtEnd { self.isAfterGap = false }
        if !self.isAfterGap { self.backoff.reset() }
    }

    /// Returns the delay after a gap, or `nil` for none.
    mutating func delayAfterGap() -> Duration? {
        defer { self.isAfterGap = true }
        return self.isAfterGap ? self.backoff.next() : nil
    }

    /// Returns the delay after a gap, using the caller's random numbers, or `nil` for none.
    package mutating func delayAfterGap(using generator: inout some RandomNumberGenerator) -> Duration? {
        defer { self.isAfterGap = true }
        return self.isAfterGap ? self.backoff.next(using: &generator) : nil
    }

    /// Returns the delay after a failure.
    ///
    /// A failure after which less is requested does not count towards `attempts`: the next attempt is another one.
    /// There are only as many of them as a request can be halved.
    ///
    /// - Throws: The error if retrying cannot help or the maximum number of attempts is exceeded.
    mutating func delay(
        after error: RedisError, _ reduction: RequestReduction = .none, at now: ContinuousClock.Instant = .now
    ) throws(RedisError) -> Duration {
        if reduction == .none || !error.isTransient { try self.failed(error, at: now) }
        return self.backoff.next()
    }

    /// Returns the delay after a failure, using the caller's random numbers.
    ///
    /// - Throws: The error if retrying cannot help or the maximum number of attempts is exceeded.
    package mutating func delay(
        after error: RedisError, at now: ContinuousClock.Instant = .now,
        using generator: inout some RandomNumberGenerator
    ) throws(RedisError) -> Duration {
        try self.failed(error, at: now)
        return self.backoff.next(using: &generator)
    }

    /// Counts a failure.
    ///
    /// - Throws: The error if retrying cannot help or the maximum number of attempts is exceeded.
    private mutating func failed(_ error: RedisError, at now: ContinuousClock.Instant) throws(RedisError) {
        // If no handshake has succeeded yet, a setting is wrong; if one has, another will.
        let isWrongSetting = error.code == .tls && !self.wasConnected && !error.isCredentialRetry
        guard error.isTransient, !isWrongSetting else { throw error }
        try self.credentialPatience.failed(error, at: now)
        self.failures += 1
        if let limit = self.settings.attempts, self.failures > limit {
            throw RedisError(
                error.code, "gave up after \(limit) attempts (reconnect.attempts): \(error.message)",
                isTransient: false)
        }
    }
}
