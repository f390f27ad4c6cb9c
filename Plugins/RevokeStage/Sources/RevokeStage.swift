public import StageKit

/// Notifies the revocation handler of every event that reaches the stage.
public final class RevokeStage: Stage {
    /// The settings under `revoke`.
    public struct Settings: Sendable {
        /// The field that holds the key.
        public var key = MarkedName.unread

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(), [.required("key", \.key, .name, "Field with the key to revoke.")])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "revoke",
        summary: "Notifies the revocation handler that a key is revoked.",
        settings: .object(Settings.schema),
        example: """
            revoke: { key: order_id }
            """,
        failureReason: "revoke_failure")

    private let key: FieldID
    private let keyName: String
    private let handler: (any RevocationHandler)?
    private let effect: EffectID
    private var hasRevoked = false

    /// Creates the stage; it reads the key.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.key = setup.input(settings.key)
        self.keyName = settings.key.text
        self.handler = setup.revocationHandler
        self.effect = setup.effect("revoke")
    }

    /// Notifies the handler, if there is one. An event without the key fails.
    public func process(_ event: inout Event) throws -> Verdict {
        guard event.range(of: self.key) != nil else { throw StageFailure("revoke: missing \(self.keyName)") }
        if let handler = self.handler {
            handler.revoke(event, key: self.key)
            self.hasRevoked = true
        }
        event.record(self.effect)
        return .next
    }

    /// Ends the handler's batch if this batch had a revocation.
    public func endBatch() async throws {
        guard self.hasRevoked else { return }
        // Cleared only on success: a batch that is retried must be ended again.
        try await self.handler?.endBatch()
        self.hasRevoked = false
    }

    /// Returns whether there was no revocation, so that there is nothing to do.
    public func endBatchAtOnce() -> Bool { !self.hasRevoked }
}
