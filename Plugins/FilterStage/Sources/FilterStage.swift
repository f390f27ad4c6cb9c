public import StageKit

/// Ends the way of events by the values of their fields; the others go on as they are.
public final class FilterStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "filter",
        summary: "Keeps or drops events by the values of their fields.",
        settings: Settings.type,
        example: """
            filter:
              keep: { status: [open, closed] }
              reason: status_not_wanted
            """,
        failureReason: "filter_failure")

    private let condition: Condition?
    /// Whether an event goes on for which the condition holds.
    private let keeps: Bool
    private let reason: ReasonID

    /// Makes the stage; it reads the fields of the condition.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.keeps = settings.keep != nil
        setup.issues.context += self.keeps ? ": keep" : ": drop"
        self.condition = (settings.keep ?? settings.drop)?.resolve(setup)
        self.reason = setup.reason(settings.reason)
    }

    /// Ends the event's way as skipped, or lets it go on.
    public func process(_ event: inout Event) throws -> Verdict {
        guard let condition = self.condition else { return .next }
        return condition.holds(for: event) == self.keeps ? .next : .finish(.skipped, self.reason)
    }
}
