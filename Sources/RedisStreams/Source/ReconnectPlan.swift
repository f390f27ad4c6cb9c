import StageKit

/// How long to wait before a lost connection, or a stream with a gap, is taken up again, and when to give up. Pure.
package struct ReconnectPlan {
    private let settings: ReconnectSettings
    private var backoff: Backoff
    private var failures = 0
    /// Whether a gap was found since the stream was last followed to its end: the next one is waited for.
    private var isAfterGap = false
    /// Whether there has been a connection.
    package private(set) var wasConnected = false

    /// Nothing has failed yet.
    package init(_ settings: ReconnectSettings) {
        self.settings = settings
        self.backoff = Backoff(first: settings.firstDelay, cap: settings.maximumDelay)
    }

    /// A connection is there; returns whether there was one before.
    package mutating func connected() -> Bool {
        defer { self.wasConnected = true }
        return self.wasConnected
    }

    /// What was read last was answered: failures before it do not count any more.
    package mutating func succeeded(isAtEnd: Bool) {
        self.failures = 0
        if isAtEnd { self.isAfterGap = false }
        if !self.isAfterGap { self.backoff.reset() }
    }

    /// How long to wait after a gap; nil for not at all.
    mutating func delayAfterGap() -> Duration? {
        defer { self.isAfterGap = true }
        return self.isAfterGap ? self.backoff.next() : nil
    }

    /// How long to wait after a gap, with random numbers of the caller's.
    package mutating func delayAfterGap(using generator: inout some RandomNumberGenerator) -> Duration? {
        defer { self.isAfterGap = true }
        return self.isAfterGap ? self.backoff.next(using: &generator) : nil
    }

    /// How long to wait after a failure; throws where another attempt cannot help or is one too many.
    mutating func delay(after error: RedisError) throws(RedisError) -> Duration {
        try self.failed(error)
        return self.backoff.next()
    }

    /// How long to wait after a failure, with random numbers of the caller's.
    package mutating func delay(
        after error: RedisError, using generator: inout some RandomNumberGenerator
    ) throws(RedisError) -> Duration {
        try self.failed(error)
        return self.backoff.next(using: &generator)
    }

    /// Counts a failure; throws where another attempt cannot help or is one too many.
    private mutating func failed(_ error: RedisError) throws(RedisError) {
        // A handshake that no server has answered yet is a wrong setting; one that worked before will again.
        let isWrongSetting = error.code == .tls && !self.wasConnected
        guard error.isTransient, !isWrongSetting else { throw error }
        self.failures += 1
        if let limit = self.settings.attempts, self.failures > limit {
            throw RedisError(
                error.code, "given up after \(limit) attempts (reconnect.attempts): \(error.message)",
                isTransient: false)
        }
    }
}
