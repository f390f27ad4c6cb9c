import StageKit

/// Decides what to do after an attempt. It has no side effects; `WebhookSender` carries the decision out.
struct RetryRule: Sendable {
    /// The longest delay between attempts that the stage chooses.
    static let backoffCap = Duration.seconds(30)
    /// The longest delay that a server may request with Retry-After. Without this limit a server could stop the stream.
    static let retryAfterCap = Duration.seconds(60)

    /// The result of an attempt.
    enum Attempt: Sendable, Equatable {
        /// The server answered, with a status and possibly the header Retry-After.
        case answered(status: Int, retryAfter: String?)
        /// There was no answer or only a part of one; the text describes the error.
        case broken(String)
    }

    /// The next step.
    enum Step: Sendable, Equatable {
        /// Done: the server has accepted the event.
        case done
        /// Retry after a delay.
        case again(after: Duration)
        /// Give up, with an error message.
        case fail(String)
    }

    /// The maximum number of retries.
    let retries: Int
    /// The first delay.
    let firstWait: Duration

    /// Returns the step after an attempt.
    ///
    /// Attempts without an answer and the statuses 429 and 5xx are retried, because such errors are transient.
    /// Redirects are not followed, because only the URL in the file was checked.
    ///
    /// - Parameters:
    ///   - attempt: The result of the attempt.
    ///   - number: The number of the attempt, starting at 1.
    ///   - jitter: A random number from 0 up to 1.
    ///   - now: The current time in milliseconds since the epoch, for a Retry-After with a date.
    func step(after attempt: Attempt, number: Int, jitter: Double, now: Int64) -> Step {
        let problem: String
        var asked: Duration?
        switch attempt {
        case .answered(200..<300, _): return .done
        case .answered(let status, let retryAfter) where status == 429 || status >= 500:
            problem = "the server answered \(status)"
            asked = retryAfter.flatMap { RetryAfter.delay($0, now: now) }.map { min($0, Self.retryAfterCap) }
        case .answered(let status, _) where (300..<400).contains(status):
            return .fail("the server answered \(status): redirects are not followed; use the target in url")
        case .answered(let status, _): return .fail("the server answered \(status)")
        case .broken(let what): problem = what
        }
        if number > self.retries {
            return .fail(number == 1 ? problem : "\(problem) (attempt \(number) of \(number))")
        }
        return .again(after: asked ?? self.wait(number: number, jitter: jitter))
    }

    /// Returns a delay between half of the step and the whole step, so that many workers do not retry at the same time.
    /// The step doubles with each attempt.
    private func wait(number: Int, jitter: Double) -> Duration {
        var step = min(self.firstWait, Self.backoffCap)
        for _ in 1..<max(1, number) where step < Self.backoffCap { step = min(step * 2, Self.backoffCap) }
        return step / 2 + (step / 2) * jitter
    }
}
