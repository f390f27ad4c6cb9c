import ComponentKit
import StageKit

/// The settings under `sqlite`.
struct SQLiteStoreSettings: Sendable {
    /// The field whose value is a snapshot's key.
    var key = ""
    /// The database file.
    var path = ""
    /// The maximum number of snapshots.
    var maxEntries = 10_000_000
    /// The maximum size of a snapshot's key, names and values in bytes.
    var maxRecordBytes = 64 << 10
    /// How long a statement waits for a lock that another program holds.
    var busyTimeout = Duration.seconds(5)
    /// The conditions by their names.
    var conditions: [NamedSetting<ConditionSettings>] = []

    /// The longest `busy_timeout`. A batch waits for it, and all later entries with it.
    static let longestBusyTimeout = Duration.seconds(60)

    /// The settings' names and types in the file.
    static let type = SettingType.object(
        SettingsSchema(
            SQLiteStoreSettings(),
            [
                .required("key", \.key, .nonBlankText, "Field whose value is the key of a snapshot."),
                .required(
                    "path", \.path, .nonBlankText,
                    "The database file, on a local file system; created with mode 0600. SQLite adds -wal and -shm beside it."
                ),
                .optional(
                    "max_entries", \.maxEntries, .integer(1...1 << 32), default: "10000000",
                    "Maximum number of snapshots; further keys are refused."),
                .optional(
                    "max_record_bytes", \.maxRecordBytes, .byteSize(64...(8 << 20)), default: "64KiB",
                    "Maximum size of a snapshot's key, names and values; larger ones are refused."),
                .optional(
                    "busy_timeout", \.busyTimeout, Self.busyTimeoutType, default: "5s",
                    "How long a batch waits for another program's lock on the file, at most 1m; then the run ends."),
                .optional(
                    "conditions", \.conditions, .map(of: .condition), default: "{}",
                    "Conditions on snapshots, by names that lookups use: { active: { status: active } }."),
            ], elsewhere: ["index": "only a store of type memory finds snapshots by other fields"]))

    private static let busyTimeoutType = SettingType<Duration>.duration(minimum: .milliseconds(1)).map {
        (timeout) throws(SettingRefusal) in
        if timeout <= Self.longestBusyTimeout { return timeout }
        throw SettingRefusal("\(SettingUnits.text(timeout)) is out of range: it must be at most 1m")
    }
}
