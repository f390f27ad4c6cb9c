import ComponentKit
import StageKit

/// The failure of the credentials of a connection: a password, a certificate, or a file that holds them.
package struct CredentialFailure: Sendable, Equatable {
    /// The kind of failure; the raw value is the label of the metric.
    package enum Reason: String, Sendable, CaseIterable {
        /// The password file is missing, empty or unreadable.
        case passwordFile = "password_file"
        /// A CA bundle, certificate or key file is missing, unreadable or incomplete, or certificate and key do not
        /// belong together.
        case tlsFile = "tls_file"
        /// The TLS handshake failed: one side does not trust the other's certificate.
        case certificate
        /// The server refuses the login: user, password or database, or a sentinel does not know the master.
        case login
    }

    /// The kind of failure.
    package let reason: Reason
    /// How long to retry since the run had a connection with these credentials, zero to give up immediately, or `nil`
    /// if not decided yet; see `CredentialPolicy`.
    package let retryLimit: Duration?

    /// Creates a failure; `retryLimit` is `nil` until `CredentialPolicy` has decided it.
    init(_ reason: Reason, retryLimit: Duration? = nil) {
        self.reason = reason
        self.retryLimit = retryLimit
    }
}

extension RedisError {
    /// Whether this user cannot run the command on this server at all.
    package var isDenied: Bool { self.code == .permission || self.code == .unknownCommand }

    /// Whether the credentials failed and are retried, because the run was connected with them before.
    package var isCredentialRetry: Bool { self.isTransient && self.credentials?.retryLimit != nil }

    /// Returns this error as the failure of a login, unless it is transient or has a more specific reason.
    var asLogin: RedisError {
        guard !self.isTransient, self.credentials == nil else { return self }
        return RedisError(self.code, self.message, isTransient: false, credentials: CredentialFailure(.login))
    }

    /// Returns this error with the decision how long to retry.
    fileprivate func retried(for limit: Duration, because reason: CredentialFailure.Reason) -> RedisError {
        RedisError(
            self.code, self.message, isTransient: limit > .zero,
            credentials: CredentialFailure(reason, retryLimit: limit))
    }
}

/// Decides whether a failure of credentials is permanent: it is until a connection with these credentials was open in
/// this run, because until then the settings may be wrong. Afterwards it is retried for a limited time.
///
/// This is the only place of the decision, for every connection of every component.
struct CredentialPolicy: Sendable {
    private let history: ConnectionHistory
    private let credentials: ConnectionHistory.Credentials
    private let limit: Duration

    /// Creates a policy for the credentials in `settings`, for all addresses that use them.
    init(_ settings: RedisSettings, in history: ConnectionHistory) {
        self.history = history
        // Connections for different purposes use the same credentials.
        var settings = settings
        settings.clientName = ClientName()
        self.credentials = ConnectionHistory.Credentials(settings)
        self.limit = settings.credentialTimeout
    }

    /// Records that a connection was opened.
    func accepted() {
        self.history.accepted(self.credentials)
    }

    /// Returns an error with the decision, and counts it; returns other errors, and errors with a decision, unchanged.
    func judged(_ error: RedisError) -> RedisError {
        guard !error.isTransient, let failure = error.credentials, failure.retryLimit == nil else { return error }
        self.history.failed(failure.reason.rawValue)
        let limit = self.history.hasAccepted(self.credentials) ? self.limit : .zero
        return error.retried(for: limit, because: failure.reason)
    }
}

/// Measures for how long attempts have failed for one kind of reason. Pure.
///
/// Only a success ends that time. Failures of another kind do not, or two kinds that alternate would never reach a
/// limit: the time between two attempts counts if at least one of them failed for a reason of this kind. A long trouble
/// of another kind in between does not count.
struct FailureTime: Sendable, Equatable {
    private var total = Duration.zero
    /// The time of the last attempt, and whether it failed for a reason of this kind.
    private var last: Attempt?

    private struct Attempt: Equatable {
        var time: ContinuousClock.Instant
        var isOwn: Bool
    }

    /// Creates a measurement without failures.
    init() {}

    /// Records a success; from `now` on, time counts until an attempt fails for a reason of this kind. With `nil`, it
    /// begins with the first failure.
    mutating func reset(at now: ContinuousClock.Instant? = nil) {
        self.total = .zero
        self.last = now.map { Attempt(time: $0, isOwn: false) }
    }

    /// Records a failed attempt and returns the time so far.
    ///
    /// - Parameter isOwn: Whether the reason is of this kind.
    mutating func failed(isOwn: Bool, at now: ContinuousClock.Instant) -> Duration {
        if let last = self.last, isOwn || last.isOwn { self.total += now - last.time }
        self.last = Attempt(time: now, isOwn: isOwn)
        return self.total
    }
}

/// Limits the time for which failing credentials are retried. Pure.
package struct CredentialPatience: Sendable {
    private var time = FailureTime()
    private var hasFailed = false

    /// Creates a patience without failures.
    package init() {}

    /// Records that an attempt succeeded.
    package mutating func reset() {
        if self.hasFailed { (self.time, self.hasFailed) = (FailureTime(), false) }
    }

    /// Records a failed attempt. The time begins with the first attempt in which the credentials failed, and goes on
    /// until an attempt succeeds; see `FailureTime`.
    ///
    /// - Throws: A permanent error if the credentials failed and the time is over.
    package mutating func failed(_ error: RedisError, at now: ContinuousClock.Instant) throws(RedisError) {
        let isOwn = error.isCredentialRetry
        guard isOwn || self.hasFailed else { return }
        self.hasFailed = true
        let time = self.time.failed(isOwn: isOwn, at: now)
        guard isOwn, let failure = error.credentials, let limit = failure.retryLimit, time >= limit else { return }
        throw RedisError(
            error.code,
            "gave up after \(SettingUnits.text(limit)) (redis.credential_timeout): \(error.message)",
            isTransient: false, credentials: CredentialFailure(failure.reason, retryLimit: .zero))
    }
}
