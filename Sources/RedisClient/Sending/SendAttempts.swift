import ComponentKit
import StageKit

/// The number, spacing and total time of the attempts to send commands. Pure.
struct SendAttempts {
    private let patience: Duration?
    private var backoff = Backoff()
    private var credentialPatience = CredentialPatience()
    /// The time without progress, for other reasons than credentials.
    private var time = FailureTime()
    private var hasFailed = false

    /// Creates attempts that are given up after `patience` without progress, or never if it is `nil`.
    init(_ patience: Duration?) {
        self.patience = patience
        self.time.reset(at: .now)
    }

    /// Begins an attempt. Until something has failed, the time spent waiting for other callers does not count.
    mutating func began(at now: ContinuousClock.Instant = .now) {
        if !self.hasFailed { self.time.reset(at: now) }
    }

    /// Records success; the next failure counts as the first.
    mutating func succeeded(at now: ContinuousClock.Instant = .now) {
        self.backoff.reset()
        self.credentialPatience.reset()
        self.hasFailed = false
        self.time.reset(at: now)
    }

    /// Records that part of the attempt succeeded before it failed.
    mutating func progressed(at now: ContinuousClock.Instant = .now) {
        self.time.reset(at: now)
    }

    /// Returns the delay before the next attempt, or `nil` if there is no time left.
    ///
    /// Failing credentials have a time limit of their own: they are a failure of the run, not of these commands. Each
    /// limit is reached even if both kinds of failure alternate.
    ///
    /// - Throws: A permanent error if the time of failing credentials is over.
    mutating func next(
        after error: RedisError, at now: ContinuousClock.Instant = .now
    ) throws(RedisError) -> Duration? {
        self.hasFailed = true
        try self.credentialPatience.failed(error, at: now)
        let isOwn = !error.isCredentialRetry
        let spent = self.time.failed(isOwn: isOwn, at: now)
        let next = self.backoff.next()
        guard let patience = self.patience, isOwn else { return next }
        let left = patience - spent
        return left > .zero ? min(next, left) : nil
    }

    /// Returns the error to report when there is no time left.
    func outOfPatience(_ error: RedisError) -> RedisError {
        let patience = self.patience.map { SettingUnits.text($0) } ?? ""
        return RedisError(error.code, "gave up after \(patience): \(error.message)", isTransient: true)
    }
}
