import StageKit
import WebhookStage

/// Decides what follows an attempt to send an export. Pure.
///
/// Source: OpenTelemetry protocol 1.x, OTLP/HTTP: the statuses 429, 502, 503 and 504 and lost connections are retried,
/// after the time in `Retry-After` if the collector names one; all other errors are final.
struct OTLPRule: Sendable {
    /// The maximum number of requests for one export: a collector that is down for a moment loses nothing.
    static let attempts = 4
    /// The delay before the second request, doubled before each further one, unless the collector names another.
    static let firstDelay = Duration.seconds(1)
    /// The longest delay between two requests of one export. If a collector asks for more, the export ends.
    static let longestDelay = Duration.seconds(30)
    /// The longest time without exports that a collector can ask for.
    static let longestPause = Duration.seconds(300)

    /// The result of an attempt.
    enum Attempt: Sendable {
        /// The collector answered.
        case answered(OTLPAnswer)
        /// There was no complete answer; the text describes the error.
        case broken(String)
    }

    /// The next step.
    enum Step: Sendable, Equatable {
        /// The collector has accepted the export, possibly without some of its content.
        case accepted(OTLPAnswer.Rejection?)
        /// Send the same request again after a delay.
        case again(after: Duration)
        /// Give up, with an error message; send nothing for the duration of the pause.
        case fail(String, pause: Duration)
    }

    /// Returns the step after an attempt.
    ///
    /// - Parameters:
    ///   - attempt: The result of the attempt.
    ///   - number: The number of the attempt, starting at 1.
    ///   - attempts: The maximum number of attempts.
    ///   - jitter: A random number from 0 up to 1.
    ///   - now: The current time in milliseconds since 1970, for a `Retry-After` with a date.
    static func step(
        after attempt: Attempt, number: Int, of attempts: Int = Self.attempts, jitter: Double, now: Int64
    ) -> Step {
        var asked: Duration?
        let problem: String
        switch attempt {
        case .broken(let text): problem = text
        case .answered(let answer):
            switch answer.status {
            case 200..<300:
                guard answer.isPage else { return .accepted(answer.rejection) }
                return .fail("the answer \(answer.status) is a web page, not that of a collector", pause: .zero)
            case 300..<400:
                return .fail(
                    "the collector answered \(answer.status): redirects are not followed; set endpoint to the target",
                    pause: .zero)
            case 429, 502, 503, 504:
                problem = "the collector answered \(answer.description)"
                asked = answer.retryAfter.flatMap { RetryAfter.delay($0, now: now) }
            default: return .fail("the collector answered \(answer.description)", pause: .zero)
            }
        }
        if let asked, asked > Self.longestDelay {
            return .fail(
                "\(problem) and asks to wait \(asked.components.seconds) s", pause: min(asked, Self.longestPause))
        }
        if number >= attempts { return .fail(problem, pause: asked ?? .zero) }
        return .again(after: asked ?? Self.delay(number: number, jitter: jitter))
    }

    /// Returns a delay between half of the step and the whole step, so that many workers do not retry at the same time.
    private static func delay(number: Int, jitter: Double) -> Duration {
        var step = Self.firstDelay
        for _ in 1..<max(1, number) { step = min(step * 2, Self.longestDelay) }
        return step / 2 + (step / 2) * jitter
    }
}
