import ComponentKit
import StageKit

/// The consequence of a failed event: the file's `on_failure`.
struct FailureRule: Sendable {
    /// The target of a failed event.
    enum Target: Sendable {
        /// Processing stops, and the event is dropped.
        case drop
        /// The run ends, with the cursor before the batch.
        case halt
        /// The event continues at the start of a branch.
        case branch(LocatedName)
        /// A `dead_letter` stage of its own with these settings, at the position of the keyword.
        case deadLetter(settings: SettingNode, SettingPosition)
    }

    /// The retry policy, or `nil` for a single attempt.
    var retry: RetryPolicy?
    /// The event's target after the last attempt, or `nil` for the default.
    var target: Target?

    /// The keywords, which are not names of branches.
    static let words = ["drop", "halt", "dead_letter", "retry"]
    private static let forms = "a branch, drop, halt, dead_letter, { dead_letter: ... } or { retry: ... }"

    /// The possible values of `on_failure`.
    static let shape = SettingShape.either([
        .nonBlankText,
        .oneName([
            SettingDescription(
                name: "retry", shape: RetrySettings.type.shape,
                summary: "The stage is retried with the event; later events wait."),
            deadLetter,
        ]),
    ])
    private static let deadLetter = SettingDescription(
        name: "dead_letter", shape: .nullable(.reference(FileShape.deadLetterName)),
        summary: "The event becomes a dead-letter entry, with the settings of the stage dead_letter.")

    /// Reads `on_failure`; errors go to the issues.
    init?(_ node: SettingNode, _ issues: inout SettingIssues) {
        if case .scalar("retry", _) = node.content {
            self.retry = RetryPolicy(RetrySettings(), at: node.position)
        } else if let pairs = node.pairs, pairs.count == 1, let pair = pairs.first, pair.key == "retry" {
            let settings = issues.within("\(issues.context): retry") { RetrySettings.type.decode(pair.value, &$0) }
            guard let settings else { return nil }
            self.retry = RetryPolicy(settings, at: pair.position)
            self.target = settings.then
        } else {
            guard let target = Self.target(node, &issues) else { return nil }
            self.target = target
        }
    }

    /// Reads the targets that `on_failure` and `then` have in common: all but `retry`.
    static let targetType = SettingType<Target>(
        shape: .either([.nonBlankText, .oneName([deadLetter])]),
        decode: { node, issues in Self.target(node, &issues) })

    /// Reads the `on_failure` of a source, which does not support retries; returns `nil` if it is invalid.
    static func sourceTarget(_ node: SettingNode, _ issues: inout SettingIssues) -> Target? {
        let isRetry = if case .scalar("retry", _) = node.content { true } else { node["retry"] != nil }
        guard isRetry else { return self.target(node, &issues) }
        issues.add("an entry that was delivered too often is not retried: remove retry", at: node.position)
        return nil
    }

    private static func target(_ node: SettingNode, _ issues: inout SettingIssues) -> Target? {
        if case .mapping(let pairs) = node.content {
            guard pairs.count == 1, let pair = pairs.first else {
                issues.add("expected \(self.forms), found \(pairs.count) names", at: node.position)
                return nil
            }
            switch pair.key {
            case "dead_letter": return .deadLetter(settings: pair.value, pair.position)
            case "retry": issues.add("retry cannot follow a retry", at: pair.position)
            default:
                let hint = Nearest.hint(for: pair.key, among: ["dead_letter", "retry"])
                issues.add("unknown setting \"\(pair.key)\"\(hint)", at: pair.position)
            }
            return nil
        }
        guard case .scalar(let text, _) = node.content else {
            issues.add("expected \(self.forms), found \(node.kindName)", at: node.position)
            return nil
        }
        switch text {
        case "drop": return .drop
        case "halt": return .halt
        case "dead_letter": return .deadLetter(settings: SettingNode(.null, at: node.position), node.position)
        case "retry":
            issues.add("retry cannot follow a retry", at: node.position)
            return nil
        default: return SettingType<LocatedName>.name.decode(node, &issues).map { .branch($0) }
        }
    }
}

/// The retry policy of a stage that failed on an event.
struct RetryPolicy: Sendable {
    /// The maximum number of attempts: after this many failures a stage is down, and a branch, dead letters or a halt are
    /// better.
    static let attemptLimit = 100
    /// The maximum delay between two attempts: later events wait just as long.
    static let backoffLimit = Duration.seconds(60)

    /// Attempts, including the first one.
    let attempts: Int
    /// The waits between attempts.
    let backoff: Backoff
    /// The position in the file.
    let position: SettingPosition

    /// Creates a policy from the file's settings.
    init(_ settings: RetrySettings, at position: SettingPosition) {
        self.attempts = settings.attempts
        self.backoff = Backoff(first: settings.backoff, cap: settings.maxBackoff)
        self.position = position
    }
}

/// The settings under `retry`.
struct RetrySettings: Sendable {
    /// Attempts, including the first one.
    var attempts = 3
    /// The wait before the second attempt.
    var backoff = Duration.milliseconds(100)
    /// The maximum wait.
    var maxBackoff = Duration.seconds(5)
    /// The consequence of the last failed attempt, or `nil` for the default.
    var then: FailureRule.Target?

    /// The schema of the settings.
    static let type = SettingType.object(
        SettingsSchema(
            RetrySettings(),
            [
                .optional(
                    "attempts", \.attempts, .integer(2...RetryPolicy.attemptLimit), default: "3",
                    "Maximum number of attempts per event, including the first."),
                .optional(
                    "backoff", \.backoff, wait, default: "100ms",
                    "The wait before the second attempt; it doubles with each further one."),
                .optional(
                    "max_backoff", \.maxBackoff, wait, default: "5s", "Maximum wait between two attempts."),
                .optional(
                    "then", \.then, then,
                    "Consequence of the last failed attempt, as for on_failure; default: as without on_failure."),
            ])
    ).map { (settings) throws(SettingRefusal) in
        guard settings.backoff <= settings.maxBackoff else {
            throw SettingRefusal(
                "backoff \(SettingUnits.text(settings.backoff)) is longer than max_backoff "
                    + SettingUnits.text(settings.maxBackoff))
        }
        return settings
    }

    private static let wait = SettingType.duration(minimum: .microseconds(1)).map {
        (duration) throws(SettingRefusal) in
        guard duration <= RetryPolicy.backoffLimit else {
            throw SettingRefusal(
                "\(SettingUnits.text(duration)) is too long: the maximum is "
                    + SettingUnits.text(RetryPolicy.backoffLimit))
        }
        return duration
    }

    private static let then = FailureRule.targetType.map { (target) throws(SettingRefusal) in Optional(target) }
}
