import RedisClient
import StageKit

/// The settings of a redis store in the file.
struct RedisStoreSettings: Sendable {
    /// The field whose value is a snapshot's key.
    var key = ""
    /// The prefix of the keys on the server, or `nil` for the store's name and a colon.
    var prefix: String?
    /// How long a snapshot is kept, or `nil` for no limit.
    var timeToLive: Duration?
    /// How long the removal of a key is remembered.
    var evictionMemory = Duration.seconds(86_400)
    /// The maximum size of a snapshot in bytes, names and values together.
    var maxRecordBytes = Self.defaultRecordBytes
    /// How long to wait for an unavailable server before the run ends.
    var patience = Duration.seconds(30)
    /// The server, or `nil` for the server of the section `redis`.
    var server: RedisSettings?

    /// The default is that of a memory store; a typical session has about a hundred bytes.
    static let defaultRecordBytes = 64 << 10
    /// The accepted values of `max_record_bytes`. A larger snapshot would delay everything that is sent with it.
    static let recordBytes = 64...(8 << 20)
    /// The maximum number of fields in one call of the script: Lua's stack has 8,000 slots, and each field takes two.
    static let fieldLimit = 1000
    /// The minimum time to keep something; with a shorter time it would be gone before it could be read.
    static let minimumTime = Duration.milliseconds(1)

    /// The setting type of the store.
    static let type = SettingType.object(
        SettingsSchema(
            RedisStoreSettings(),
            [
                .required("key", \.key, .nonBlankText, "Field whose value is the key of a snapshot."),
                .optional(
                    "prefix", \.prefix, .optional(.nonBlankText), default: "the store's name and a colon",
                    "Prefix of the keys on the server. Every key with this prefix belongs to the store, so no "
                        + "stream, bootstrap pattern or other store of the file may have such keys."),
                .optional(
                    "ttl", \.timeToLive, .limit(minimum: Self.minimumTime), default: "unlimited",
                    "Time to live of a snapshot after its last change."),
                .optional(
                    "eviction_memory", \.evictionMemory, .duration(minimum: Self.minimumTime), default: "1d",
                    "How long an evicted key is remembered, so that no older entry brings it back."),
                .optional(
                    "max_record_bytes", \.maxRecordBytes, .byteSize(Self.recordBytes), default: "64KiB",
                    "Maximum size of a snapshot's names and values; larger ones are refused."),
                .optional(
                    "patience", \.patience, .duration(minimum: Self.minimumTime), default: "30s",
                    "How long to wait for an unavailable server before the run ends with the batch unfinished."),
                .optional(
                    "server", \.server, .optional(RedisSettings.type), default: "the section redis",
                    "The server; its settings are those of the section redis."),
            ], elsewhere: ["index": "only a store of type memory finds snapshots by other fields"]))
}
