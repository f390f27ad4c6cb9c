public import StageKit

/// Removes the key that an event names from a store, unless the store holds a newer snapshot. Used in failure branches,
/// so that the store does not answer with doubtful data.
public final class EvictStage: Stage {
    /// The settings under `evict`.
    public struct Settings: Sendable {
        /// The store to change.
        public var store = LocatedName.unread
        /// The field that holds the key.
        public var key = LocatedName.unread

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required("store", \.store, .name, "Name of the store, as declared under stores."),
                .required("key", \.key, .name, "Field with the key to remove."),
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "evict",
        summary: "Removes the snapshot that the event names from a store, unless the store holds a newer one.",
        settings: .object(Settings.schema),
        example: """
            evict: { store: orders, key: order_id }
            """,
        failureReason: "store_failure", waits: true, acceptsElements: true)

    private let key: FieldID
    private let writer: (any SnapshotWriter)?
    /// The writer, if the store is on a server: events then wait for the answer.
    private let deferred: (any DeferredWriter)?
    private let effect: EffectID
    private let handler: (any RevocationHandler)?
    /// The reason in notifications for an event that has not failed: the stage's name.
    private let ownReason: String
    private var hasAnnounced = false

    /// Creates the stage; it reads the key.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.key = setup.input(settings.key)
        self.writer = setup.store(settings.store)?.makeWriter(key: self.key, fields: [])
        self.deferred = self.writer?.deferred
        if self.deferred == nil { setup.neverWaits() }
        self.effect = setup.effect("evict")
        self.handler = setup.revocationHandler
        self.ownReason = setup.stage
    }

    /// Removes the key. An event without a key, or with a blank one, continues unchanged.
    ///
    /// The outcome is set to evicted without a reason of its own; the reason of the failure remains.
    public func process(_ event: inout Event) throws -> Verdict {
        guard let writer = self.writer, let range = event.range(of: self.key) else { return .next }
        if event.withBytes(range, { Blank.isBlank($0) }) { return .next }
        if self.deferred != nil { return .wait }
        // Also if the store refuses: nobody may rely on a key that a bad event names.
        defer { self.announce(event) }
        return self.verdict(try self.evict(event, from: writer), &event)
    }

    /// Lets a store on a server remove the keys of all events together.
    public func complete(_ events: WaitingEvents) async throws {
        guard let writer = self.deferred else { return }
        try await events.settle(writer) { (event) throws(StageFailure) in
            _ = try self.evict(event, from: writer)
        } _: { (event, change) throws(StageFailure) in
            self.announce(event)
            return self.verdict(try Self.named { try change.mapError(\.failure).get() }, &event)
        }
    }

    /// Notifies the handler, whatever the result of the store. The store may not have held a key that others rely on,
    /// and when an entry is read again it is not known whether the first run got this far.
    private func announce(_ event: borrowing Event) {
        guard let handler = self.handler else { return }
        handler.evicted(event, key: self.key, reason: event.failure?.reason ?? self.ownReason)
        self.hasAnnounced = true
    }

    /// Records the result of the store; the event continues in any case.
    private func verdict(_ change: StoreChange, _ event: inout Event) -> Verdict {
        switch change {
        case .applied:
            event.record(self.effect)
            event.settle(.evicted, .none)
        case .repeated:
            // Read again: this entry itself removed the key, so its outcome is the same as before.
            event.settle(.evicted, .none)
        case .older:
            break
        }
        return .next
    }

    /// Ends the batch of a store on a server, then the handler's batch if this one had an eviction.
    public func endBatch() async throws {
        try await self.writer?.endBatch()
        guard self.hasAnnounced else { return }
        // Cleared only on success: a batch that is retried must be ended again.
        try await self.handler?.endBatch()
        self.hasAnnounced = false
    }

    /// Returns whether there is nothing to do: the store is in this process, and the handler was not notified.
    public func endBatchAtOnce() -> Bool { !self.hasAnnounced && self.writer?.endsBatchesAtOnce ?? true }

    private func evict(_ event: borrowing Event, from writer: any SnapshotWriter) throws(StageFailure) -> StoreChange {
        try Self.named { try writer.evict(event) }
    }

    /// Adds the stage's name to errors of the store.
    private static func named(_ change: () throws -> StoreChange) throws(StageFailure) -> StoreChange {
        do {
            return try change()
        } catch {
            throw StageFailure(error, in: Self.declaration.name)
        }
    }
}
