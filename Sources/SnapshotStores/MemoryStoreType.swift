public import ComponentKit
import StageKit

/// The settings of a memory store in the pipeline file.
struct MemoryStoreSettings: Sendable {
    /// The field whose value is the key.
    var key = ""
    /// The maximum number of snapshots.
    var maxEntries = MemoryStore.Limits.entries
    /// The maximum size of a packed record in bytes.
    var maxRecordBytes = MemoryStore.Limits.recordBytes

    /// The conditions by their names.
    var conditions: [NamedSetting<ConditionSettings>] = []

    /// When snapshots expire.
    var expiry = ExpirySettings()

    /// The fields by whose values snapshots are found.
    var index: [LocatedName] = []

    /// The settings of the shared file, or `nil` if the store is private.
    var share: ShareSettings?

    /// The schema of the settings.
    static let type = SettingType.object(
        SettingsSchema(
            MemoryStoreSettings(),
            [
                .required("key", \.key, .nonBlankText, "Field whose value is the key of a snapshot."),
                .optional(
                    "max_entries", \.maxEntries, .integer(1...MemoryStore.Limits.maximumEntries),
                    default: "\(MemoryStore.Limits.entries)",
                    "Maximum number of snapshots; further keys are refused."),
                .optional(
                    "max_record_bytes", \.maxRecordBytes, .byteSize(MemoryStore.Limits.recordBytesRange),
                    default: "64KiB", "Maximum size of a packed snapshot; larger ones are refused."),
                .optional(
                    "expires", \.expiry.field, .optional(.name),
                    "Field with the time from which on a snapshot is no longer found: milliseconds since 1970, or a"
                        + " timestamp of RFC 3339. A snapshot without the field does not expire by it; one with any other"
                        + " value has expired."),
                .optional(
                    "ttl", \.expiry.timeToLive, .optional(.duration(minimum: ExpirySettings.minimumTime)),
                    default: "unlimited",
                    "Time to live of a snapshot after its last update, counted from the time in the entry's id."),
                .optional(
                    "conditions", \.conditions, .map(of: .condition), default: "{}",
                    "Conditions on snapshots, by names that lookups and the gateway use:"
                        + " { active: { status: active } }, or an expression."
                ),
                .optional(
                    "index", \.index, Self.indexType, default: "[]",
                    "Fields by whose values snapshots are found too, for all sessions of a user: [user_id]. At most"
                        + " \(StoreIndex.fieldLimit)."),
                .optional(
                    "share", \.share, .optional(ShareSettings.type),
                    "The file in which other processes on this host look up snapshots, with libsluice-lookup."),
            ])
    ).map { (settings) throws(SettingRefusal) in
        if settings.index.contains(where: { $0.text == settings.key }) {
            throw SettingRefusal("index: \"\(settings.key)\" is the key: snapshots are found by it anyway")
        }
        guard let share = settings.share?.including(settings.expiry.field?.text) else { return settings }
        if settings.conditions.count > MarkedConditions.limit {
            throw SettingRefusal("a shared store has at most \(MarkedConditions.limit) conditions")
        }
        if share.fields.count > FieldNames.recordLimit {
            throw SettingRefusal("a store has at most \(FieldNames.recordLimit) fields")
        }
        if SharedLayout.pack(share.fields + settings.conditions.map(\.name)) == nil {
            throw SettingRefusal("the names of fields and conditions of a shared store are too long")
        }
        return settings
    }

    private static let indexType = SettingType<[LocatedName]>.list(of: .name).map {
        (names) throws(SettingRefusal) in
        if names.count > StoreIndex.fieldLimit {
            throw SettingRefusal("a store has an index by at most \(StoreIndex.fieldLimit) fields")
        }
        for (position, name) in names.enumerated() where names[..<position].contains(where: { $0.text == name.text }) {
            throw SettingRefusal("the field \"\(name.text)\" is named twice")
        }
        return names
    }
}

extension MemoryStore {
    /// The store type `memory` of the pipeline file.
    public static let type = MemoryStore.makeType { _ in false }

    /// Returns the store type `memory` of the pipeline file.
    ///
    /// - Parameter isObserved: Whether a part of the program observes the store that is being created.
    package static func makeType(_ isObserved: @escaping @Sendable (ComponentSetup) -> Bool) -> StoreType {
        StoreType(
            name: "memory",
            summary: "Keeps snapshots in this process's memory, for lookups in well under a microsecond.",
            settings: MemoryStoreSettings.type,
            bounds: ["max_entries", "max_record_bytes", "expires", "ttl", "conditions", "index", "share"]
        ) { settings, setup in
            let store = MemoryStore(
                name: setup.name, keyField: settings.key, maxEntries: settings.maxEntries,
                maxRecordBytes: settings.maxRecordBytes, conditions: settings.conditions, expiry: settings.expiry,
                clock: setup.clock, index: settings.index, share: settings.share, isObserved: isObserved(setup),
                logger: setup.logger)
            if setup.isRehearsal {
                // The file of a shared store may be that of a running worker, and the time of a test does not advance.
                store.keepPrivate()
                store.holdExpiryClock()
            }
            return store
        }
    }
}
