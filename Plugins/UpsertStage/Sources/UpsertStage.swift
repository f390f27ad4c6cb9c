public import StageKit

/// Holds an event's values in a store under its key, unless the store holds something newer.
public final class UpsertStage: Stage {
    /// What the YAML under `upsert` says.
    public struct Settings: Sendable {
        /// The store to change.
        public var store = MarkedName.unread
        /// The fields to keep; nil for all that earlier stages provide.
        public var fields: [MarkedName]?

        /// How the file spells them.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required("store", \.store, .name, "The store to change, as declared under stores."),
                .optional(
                    "fields", \.fields, .optional(.list(of: .name, minimum: 1)), default: "all fields",
                    "The fields to keep in the snapshot."),
            ])
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "upsert",
        summary: "Holds the event's values in a store under its key, unless the store holds something newer.",
        settings: .object(Settings.schema),
        example: """
            upsert: { store: orders }
            """,
        failureReason: "store_failure",
        preparesEvents: true)

    /// What is written to, and by which key.
    private struct Target {
        var writer: any SnapshotWriter
        var key: FieldID
        var keyName: String
    }

    /// Nil only where the settings are wrong, which keeps the stage from being run.
    private let target: Target?
    private let effect: EffectID
    private let older: ReasonID
    private let repeated: ReasonID

    /// Makes the stage; it reads the store's key and the fields to keep.
    public init(_ settings: Settings, _ setup: StageSetup) {
        let mark = settings.store.mark
        let names = settings.fields ?? setup.fields.map { MarkedName($0, at: mark) }
        let fields = names.map { (name: $0.text, field: setup.input($0)) }
        self.target = setup.store(settings.store).map { store in
            let key = setup.input(MarkedName(store.keyField, at: mark))
            return Target(
                writer: store.makeWriter(key: key, fields: fields), key: key, keyName: store.keyField)
        }
        self.effect = setup.effect("upsert")
        self.older = setup.reason("older_entry")
        self.repeated = setup.reason("repeated_entry")
    }

    /// Announces the event to the store.
    public func prepare(_ event: borrowing Event) {
        self.target?.writer.prepare(event)
    }

    /// Holds the event's snapshot. An older event ends here; a repeated one goes on, so that what follows a snapshot is
    /// done at least once even where the worker stopped between the two.
    public func process(_ event: inout Event) throws -> Verdict {
        guard let target = self.target else { return .next }
        guard let range = event.range(of: target.key), !event.withBytes(range, { Blank.isBlank($0) }) else {
            throw StageFailure("upsert: \(target.keyName) is missing or blank")
        }
        switch try self.upsert(event, to: target.writer) {
        case .applied:
            event.record(self.effect)
            return .next
        case .repeated:
            event.settle(.skipped, self.repeated)
            return .next
        case .older:
            return .finish(.skipped, self.older)
        }
    }

    /// Hands the batch to a store that is elsewhere.
    public func endBatch() async throws {
        try await self.target?.writer.endBatch()
    }

    private func upsert(_ event: borrowing Event, to writer: any SnapshotWriter) throws(StageFailure) -> StoreChange {
        do {
            return try writer.upsert(event)
        } catch let failure as StageFailure {
            throw StageFailure("upsert: \(failure.message)", reason: failure.reason)
        } catch {
            throw StageFailure("upsert: \(error)")
        }
    }
}
