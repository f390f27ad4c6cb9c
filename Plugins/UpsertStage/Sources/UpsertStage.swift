public import StageKit

/// Stores an event's values under its key, unless the store holds a newer snapshot.
public final class UpsertStage: Stage {
    /// The settings under `upsert`.
    public struct Settings: Sendable {
        /// The store to change.
        public var store = LocatedName.unread
        /// The fields to keep, or `nil` for all fields that earlier stages provide.
        public var fields: [LocatedName]?

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required("store", \.store, .name, "Name of the store, as declared under stores."),
                .optional(
                    "fields", \.fields, .optional(.list(of: .name, minimum: 1)), default: "all fields",
                    "The fields to keep in the snapshot."),
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "upsert",
        summary: "Writes the event's values to a store under its key, unless the store holds a newer snapshot.",
        settings: .object(Settings.schema),
        example: """
            upsert: { store: orders }
            """,
        failureReason: "store_failure",
        preparesEvents: true, waits: true)

    /// The store's writer; `nil` only if the settings are invalid, in which case the stage never runs.
    private let writer: (any SnapshotWriter)?
    /// The writer, if the store is on a server: events then wait for the answer.
    private let deferred: (any DeferredWriter)?
    private let key: FieldID?
    private let keyName: String
    private let effect: EffectID
    private let older: ReasonID
    private let repeated: ReasonID
    private let handler: (any RevocationHandler)?
    private var hasAnnounced = false

    /// Creates the stage; it reads the store's key and the fields to keep.
    public init(_ settings: Settings, _ setup: StageSetup) {
        let position = settings.store.position
        let names = settings.fields ?? setup.fields.map { LocatedName($0, at: position) }
        let fields = names.map { (name: $0.text, field: setup.input($0)) }
        let store = setup.store(settings.store)
        self.keyName = store?.keyField ?? ""
        let key = store.map { setup.input(LocatedName($0.keyField, at: position)) }
        self.key = key
        self.writer = key.flatMap { store?.makeWriter(key: $0, fields: fields) }
        self.deferred = self.writer?.deferred
        if self.deferred == nil { setup.neverWaits() }
        self.effect = setup.effect("upsert")
        self.older = setup.reason("older_entry")
        self.repeated = setup.reason("repeated_entry")
        self.handler = setup.revocationHandler
    }

    /// Passes the event to the store's `prepare`.
    public func prepare(_ event: borrowing Event) {
        self.writer?.prepare(event)
    }

    /// Stores the event's snapshot. The event continues even if the store already holds the entry or a newer one, so
    /// that later stages see it at least once: see `verdict`.
    public func process(_ event: inout Event) throws -> Verdict {
        guard let key = self.key, let range = event.range(of: key), !event.withBytes(range, { Blank.isBlank($0) })
        else {
            throw StageFailure("upsert: \(self.keyName) is missing or blank")
        }
        if self.deferred != nil { return .wait }
        return self.verdict(try self.upsert(event), &event)
    }

    /// Lets a store on a server store the snapshots of all events together.
    public func complete(_ events: WaitingEvents) async throws {
        guard let writer = self.deferred else { return }
        try await events.settle(writer) { (event) throws(StageFailure) in
            _ = try self.upsert(event)
        } _: { (event, change) throws(StageFailure) in
            if case .failure(let refusal) = change, refusal.removedSnapshot { self.announce(refusal.failure, event) }
            return self.verdict(try Self.named { try change.mapError(\.failure).get() }, &event)
        }
    }

    /// Notifies the handler that the store has removed the event's key because it could not store the snapshot.
    private func announce(_ failure: StageFailure, _ event: borrowing Event) {
        guard let handler = self.handler, let key = self.key else { return }
        handler.evicted(event, key: key, reason: failure.reason ?? Self.declaration.failureReason)
        self.hasAnnounced = true
    }

    /// Records the result of the store and passes the event on.
    ///
    /// If the store holds the entry or a newer one, that does not mean that later stages have seen the event. Only an
    /// event that its source knows to be finished is finished here, so that a resync does not repeat old effects.
    private func verdict(_ change: StoreChange, _ event: inout Event) -> Verdict {
        let reason: ReasonID
        switch change {
        case .applied:
            event.record(self.effect)
            return .next
        case .repeated: reason = self.repeated
        case .older: reason = self.older
        }
        if event.isKnownFinished { return .finish(.skipped, reason) }
        event.settle(.skipped, reason)
        return .next
    }

    /// Ends the batch of a store on a server, then the handler's batch if the store has removed a key on its own.
    public func endBatch() async throws {
        try await self.writer?.endBatch()
        guard self.hasAnnounced else { return }
        // Cleared only on success: a batch that is retried must be ended again.
        try await self.handler?.endBatch()
        self.hasAnnounced = false
    }

    /// Returns whether the store is in this process, so that there is nothing to do.
    public func endBatchAtOnce() -> Bool { self.writer?.endsBatchesAtOnce ?? true }

    private func upsert(_ event: borrowing Event) throws(StageFailure) -> StoreChange {
        try Self.named { try self.writer?.upsert(event) ?? .older }
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
