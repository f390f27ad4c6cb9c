public import StageKit

/// Skips events that are duplicates of earlier ones, according to the values of some fields.
public final class DedupeStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "dedupe",
        summary: "Lets the first of several equal events through and skips the others.",
        settings: .object(Settings.schema),
        example: """
            dedupe: { by: [order_id, status], within: 10m }
            """,
        failureReason: "dedupe_failure", remembers: true)

    private let key: EventKeyParts
    private let reason: ReasonID
    private var seen: SeenEvents

    /// Creates the stage; it reads the fields and expressions that identify duplicates.
    public init(_ settings: Settings, _ setup: StageSetup) {
        setup.issues.context += ": by"
        self.key = EventKeyParts(settings.by, setup)
        self.reason = setup.reason("duplicate")
        self.seen = SeenEvents(
            limit: settings.remember, age: settings.within.map { UInt64(max(0, $0.microseconds / 1000)) })
    }

    /// Skips a duplicate. An event that has none of the values is not a duplicate and continues.
    ///
    /// - Throws: The error of an expression.
    public func process(_ event: inout Event) throws -> Verdict {
        guard let key = try self.key.key(of: event) else { return .next }
        let id = EventID(event.orderID, element: event.element)
        return self.seen.isRepeated(key, at: id, of: event.streamIndex) ? .finish(.skipped, self.reason) : .next
    }
}
