import StageKit

/// What follows an attempt. Pure: it decides, `WebhookSender` acts.
struct RetryRule: Sendable {
    /// The longest wait between attempts that the stage chooses.
    static let backoffCap = Duration.seconds(30)
    /// The longest wait that a server may ask for with Retry-After: beyond it the stream would stand still at its word.
    static let retryAfterCap = Duration.seconds(60)

    /// How an attempt ended.
    enum Attempt: Sendable, Equatable {
        /// With an answer: its status, and its header Retry-After.
        case answered(status: Int, retryAfter: String?)
        /// Without one, or in the middle of it: what happened.
        case broken(String)
    }

    /// What to do.
    enum Step: Sendable, Equatable {
        /// The server has it.
        case done
        /// Try again after a wait.
        case again(after: Duration)
        /// Give up: what is wrong.
        case fail(String)
    }

    /// How often a failed attempt is repeated.
    let retries: Int
    /// The first wait.
    let firstWait: Duration

    /// The step after an attempt.
    ///
    /// Attempts without an answer and the statuses 429 and 5xx are repeated: they pass by themselves. Redirects are not
    /// followed, because only the URL in the file was checked.
    ///
    /// - Parameters:
    ///   - attempt: How the attempt ended.
    ///   - number: The number of the attempt, from 1.
    ///   - jitter: From 0 up to 1.
    ///   - now: The current time in milliseconds since the epoch, for a Retry-After with a date.
    func step(after attempt: Attempt, number: Int, jitter: Double, now: Int64) -> Step {
        let problem: String
        var asked: Duration?
        switch attempt {
        case .answered(200..<300, _): return .done
        case .answered(let status, let retryAfter) where status == 429 || status >= 500:
            problem = "the server answered \(status)"
            asked = retryAfter.flatMap { Self.delay($0, now: now) }.map { min($0, Self.retryAfterCap) }
        case .answered(let status, _) where (300..<400).contains(status):
            return .fail("the server answered \(status): redirects are not followed, name the place itself in url")
        case .answered(let status, _): return .fail("the server answered \(status)")
        case .broken(let what): problem = what
        }
        if number > self.retries {
            return .fail(number == 1 ? problem : "\(problem), the last of \(number) attempts")
        }
        return .again(after: asked ?? self.wait(number: number, jitter: jitter))
    }

    /// Between half of the step and the whole of it, so that many workers do not come at once; the step doubles.
    private func wait(number: Int, jitter: Double) -> Duration {
        var step = min(self.firstWait, Self.backoffCap)
        for _ in 1..<max(1, number) where step < Self.backoffCap { step = min(step * 2, Self.backoffCap) }
        return step / 2 + (step / 2) * jitter
    }

    /// The delay that a Retry-After asks for: a number of seconds, or an HTTP date, which may have passed. `nil` for any
    /// other text, after which the stage's own delay applies.
    private static func delay(_ text: String, now: Int64) -> Duration? {
        if let seconds = UInt32(text) { return .seconds(Int64(seconds)) }
        return HTTPDate.milliseconds(text, now: now).map { .milliseconds(max(0, $0 - now)) }
    }
}
