public import StageKit

/// Skips events by the values of their fields; the others continue unchanged.
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
    /// Whether an event continues if it meets the condition.
    private let keeps: Bool
    private let reason: ReasonID

    /// Creates the stage; it reads the fields of the condition.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.keeps = settings.keep != nil
        setup.issues.context += self.keeps ? ": keep" : ": drop"
        self.condition = (settings.keep ?? settings.drop)?.resolve(setup)
        self.reason = setup.reason(settings.reason)
    }

    /// Skips the event or lets it continue.
    public func process(_ event: inout Event) throws -> Verdict {
        guard let condition = self.condition else { return .next }
        return try condition.holds(for: event) == self.keeps ? .next : .finish(.skipped, self.reason)
    }
}
