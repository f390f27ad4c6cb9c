public import StageKit

/// Notifies the revocation handler of every event that reaches the stage, or ends all snapshots of a store that have the
/// event's value in an indexed field.
public final class RevokeStage: Stage {
    /// The settings under `revoke`.
    public struct Settings: Sendable {
        /// The field that holds the key, or `nil` with `match`.
        public var key: LocatedName?
        /// The store whose snapshots `match` ends.
        public var store: LocatedName?
        /// The indexed field by whose value snapshots are ended, or `nil` with `key`.
        public var match: LocatedName?
        /// The field of the event with the time before which a snapshot must have been issued to be ended, or `nil` to
        /// end all older ones.
        public var issuedBefore: LocatedName?
        /// The field of a snapshot with the time at which it was issued, or `nil` for the time of its entry.
        public var issuedAt: LocatedName?

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .optional("key", \.key, .optional(.name), "Field with the key to revoke."),
                .optional(
                    "store", \.store, .optional(.name),
                    "Name of the store whose snapshots match ends; required with match."),
                .optional(
                    "match", \.match, .optional(.name),
                    "Indexed field of the store: every older snapshot with the event's value in it is ended."),
                .optional(
                    "issued_before", \.issuedBefore, .optional(.name), default: "all older snapshots are ended",
                    "Field of the event with a time: snapshots issued at that time or later are not ended."),
                .optional(
                    "issued_at", \.issuedAt, .optional(.name), default: "the time in the id of its last entry",
                    "Field of the snapshot with the time at which it was issued."),
            ], alternatives: [.exactlyOne("key", "match")])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "revoke",
        summary: "Notifies the revocation handler that a key is revoked, or ends all snapshots with a value.",
        settings: SettingType.object(Settings.schema).map { (settings) throws(SettingRefusal) in
            try RevokeStage.checked(settings)
        },
        example: """
            revoke: { key: order_id }
            """,
        failureReason: "revoke_failure", waits: true)

    /// The key, or `nil` with `match`.
    private let key: FieldID?
    private let keyName: String
    private let matching: MatchingSnapshots?
    private let handler: (any RevocationHandler)?
    private let effect: EffectID
    private var hasRevoked = false

    /// Creates the stage; it reads the key, or the value to match.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.key = settings.key.map { setup.input($0) }
        self.keyName = settings.key?.text ?? ""
        self.matching = settings.match.flatMap { MatchingSnapshots(settings, match: $0, setup) }
        if self.matching == nil { setup.neverWaits() }
        self.handler = setup.revocationHandler
        self.effect = setup.effect("revoke")
    }

    /// Notifies the handler, if there is one. An event without the key, or without the value to match, fails.
    ///
    /// Snapshots with the value are ended here, too, in stream order; an event that ends more than a batch may announce
    /// waits for `complete`.
    public func process(_ event: inout Event) throws -> Verdict {
        guard let key = self.key else { return try self.endMatching(&event) }
        guard event.range(of: key) != nil else { throw StageFailure("revoke: missing \(self.keyName)") }
        if let handler = self.handler {
            handler.revoke(event, key: key)
            self.hasRevoked = true
        }
        event.record(self.effect)
        return .next
    }

    /// Ends the remaining snapshots of each event, a limited number at a time, and announces these before it ends more.
    public func complete(_ events: WaitingEvents) async throws {
        guard let matching = self.matching else { return }
        for position in 0..<events.count {
            do throws(StageFailure) {
                try events.withEvent(at: position) { (event) throws(StageFailure) in try matching.begin(event) }
            } catch {
                events.fail(at: position, error)
                continue
            }
            var isDone = false
            while !isDone {
                try await self.announce()
                isDone = events.withEvent(at: position) { event in matching.end(&event, handler: self.handler) }
                self.hasRevoked = true
            }
        }
    }

    /// Ends the handler's batch if this batch had a revocation.
    public func endBatch() async throws { try await self.announce() }

    /// Returns whether there was no revocation, so that there is nothing to do.
    public func endBatchAtOnce() -> Bool { !self.hasRevoked }

    private func endMatching(_ event: inout Event) throws -> Verdict {
        guard let matching = self.matching else { return .next }
        try matching.begin(event)
        let isDone = matching.end(&event, handler: self.handler)
        if matching.hasUnannounced { self.hasRevoked = true }
        event.record(self.effect)
        return isDone ? .next : .wait
    }

    private func announce() async throws {
        guard self.hasRevoked else { return }
        // Cleared only on success: a batch that is retried must be ended again.
        try await self.handler?.endBatch()
        self.matching?.announced()
        self.hasRevoked = false
    }

    /// Checks that the settings belong together.
    private static func checked(_ settings: Settings) throws(SettingRefusal) -> Settings {
        guard settings.match != nil else {
            if settings.key == nil { throw SettingRefusal("missing setting \"key\", or \"store\" and \"match\"") }
            let others = [
                ("store", settings.store), ("issued_before", settings.issuedBefore), ("issued_at", settings.issuedAt),
            ]
            if let other = others.first(where: { $0.1 != nil }) {
                throw SettingRefusal("\(other.0) needs the setting match: remove it, or replace key by match")
            }
            return settings
        }
        if settings.key != nil { throw SettingRefusal("key and match exclude each other: remove one of them") }
        if settings.store == nil { throw SettingRefusal("match needs the setting store") }
        if settings.issuedAt != nil, settings.issuedBefore == nil {
            throw SettingRefusal("issued_at needs the setting issued_before")
        }
        return settings
    }
}
