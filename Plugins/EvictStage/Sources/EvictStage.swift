public import StageKit

/// Takes what an event names out of a store, unless the store holds something newer: what a failure branch does so that
/// nothing doubtful is answered from the store.
public final class EvictStage: Stage {
    /// What the YAML under `evict` says.
    public struct Settings: Sendable {
        /// The store to change.
        public var store = MarkedName.unread
        /// The field that holds the key.
        public var key = MarkedName.unread

        /// How the file spells them.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required("store", \.store, .name, "The store to change, as declared under stores."),
                .required("key", \.key, .name, "The field that holds the key to take out."),
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "evict",
        summary: "Takes what the event names out of a store, unless the store holds something newer.",
        settings: .object(Settings.schema),
        example: """
            evict: { store: orders, key: order_id }
            """,
        failureReason: "store_failure", waits: true)

    private let key: FieldID
    private let writer: (any SnapshotWriter)?
    /// The same, where the store is elsewhere: then events wait for its answer.
    private let deferred: (any DeferredWriter)?
    private let effect: EffectID
    private let handler: (any RevocationHandler)?
    /// The reason that is announced for an event that has not failed: the stage's name.
    private let ownReason: String
    private var hasAnnounced = false

    /// Makes the stage; it reads the key.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.key = setup.input(settings.key)
        self.writer = setup.store(settings.store)?.makeWriter(key: self.key, fields: [])
        self.deferred = self.writer as? any DeferredWriter
        if self.deferred == nil { setup.neverWaits() }
        self.effect = setup.effect("evict")
        self.handler = setup.revocationHandler
        self.ownReason = setup.stage
    }

    /// Takes the key out; an event without one, or with a blank one, names nothing and goes on as it is.
    ///
    /// The outcome is settled as evicted without a reason of its own: that of the failure stands.
    public func process(_ event: inout Event) throws -> Verdict {
        guard let writer = self.writer, let range = event.range(of: self.key) else { return .next }
        if event.withBytes(range, { Blank.isBlank($0) }) { return .next }
        if self.deferred != nil { return .wait }
        // Also if the store refuses: nobody may rely on a key that a bad event names.
        defer { self.announce(event) }
        return self.verdict(try self.evict(event, from: writer), &event)
    }

    /// Has a store elsewhere take out what all the events name at once.
    public func complete(_ events: WaitingEvents) async throws {
        guard let writer = self.deferred else { return }
        try await events.settle(writer) { (event) throws(StageFailure) in
            _ = try self.evict(event, from: writer)
        } _: { (event, change) throws(StageFailure) in
            self.announce(event)
            return self.verdict(try Self.told { try change.get() }, &event)
        }
    }

    /// Notifies the handler, whatever the store did: it may not have held a key that others rely on, and on a second
    /// reading it is not known whether the first one got as far as this.
    private func announce(_ event: borrowing Event) {
        guard let handler = self.handler else { return }
        handler.evicted(event, key: self.key, reason: event.failure?.reason ?? self.ownReason)
        self.hasAnnounced = true
    }

    /// Records what the store did with an event, which goes on in any case.
    private func verdict(_ change: StoreChange, _ event: inout Event) -> Verdict {
        switch change {
        case .applied:
            event.record(self.effect)
            event.settle(.evicted, .none)
        case .repeated:
            // Read again: it was this very entry that took the key out, so its outcome is what it was.
            event.settle(.evicted, .none)
        case .older:
            break
        }
        return .next
    }

    /// Hands the batch to a store that is elsewhere, then ends the handler's batch if this one had an eviction.
    public func endBatch() async throws {
        try await self.writer?.endBatch()
        guard self.hasAnnounced else { return }
        // Cleared only on success: a batch that is tried again must be ended again.
        try await self.handler?.endBatch()
        self.hasAnnounced = false
    }

    /// Returns whether there is nothing to hand over: the store is in this process, and nothing was announced.
    public func endBatchAtOnce() -> Bool { !self.hasAnnounced && self.writer?.endsBatchesAtOnce ?? true }

    private func evict(_ event: borrowing Event, from writer: any SnapshotWriter) throws(StageFailure) -> StoreChange {
        try Self.told { try writer.evict(event) }
    }

    /// Puts the stage's name before what a store says.
    private static func told(_ change: () throws -> StoreChange) throws(StageFailure) -> StoreChange {
        do {
            return try change()
        } catch let failure as StageFailure {
            throw StageFailure("evict: \(failure.message)", reason: failure.reason)
        } catch {
            throw StageFailure("evict: \(error)")
        }
    }
}
