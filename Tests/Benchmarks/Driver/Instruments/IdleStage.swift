import StageKit

/// A stage that does nothing: what is left is the engine's own cost.
final class IdleStage: Stage {
    /// It has no settings.
    struct Settings: Sendable {}

    /// What the engine knows of it.
    static let declaration = StageDeclaration(
        name: "idle", summary: "Does nothing.", settings: .object(SettingsSchema(Settings(), [])),
        example: "idle: {}", failureReason: "idle")

    /// Makes the stage.
    init(_ settings: Settings, _ setup: StageSetup) {}

    /// Lets the event go on.
    func process(_ event: inout Event) throws -> Verdict { .next }
}

/// A stage that does nothing and says that it is pure.
final class IdlePureStage: Stage {
    /// It has no settings.
    struct Settings: Sendable {}

    /// What the engine knows of it.
    static let declaration = StageDeclaration(
        name: "idle_pure", summary: "Does nothing.", settings: .object(SettingsSchema(Settings(), [])),
        example: "idle_pure: {}", failureReason: "idle", isPure: true)

    /// Makes the stage.
    init(_ settings: Settings, _ setup: StageSetup) {}

    /// Lets the event go on.
    func process(_ event: inout Event) throws -> Verdict { .next }
}
