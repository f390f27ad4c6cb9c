/// One step of `sluice check`: the result of checking a resource outside of this process.
public struct CheckStep: Sendable, Equatable {
    /// The result of a step.
    public enum Verdict: String, Sendable, Equatable {
        /// Correct.
        case good
        /// Works, but may not be intended.
        case warning
        /// The worker would not run.
        case bad
        /// Could not be checked.
        case unknown
    }

    /// The subject of the step.
    public var name: String
    /// The result.
    public var verdict: Verdict
    /// The finding.
    public var finding: String
    /// The remedy, or `nil` if none is needed.
    public var advice: String?

    /// Creates a step.
    public init(_ name: String, _ verdict: Verdict, _ finding: String, advice: String? = nil) {
        self.name = name
        self.verdict = verdict
        self.finding = finding
        self.advice = advice
    }
}
