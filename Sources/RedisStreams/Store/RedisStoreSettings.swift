import StageKit

/// What the file says of a store on a Redis server.
struct RedisStoreSettings: Sendable {
    /// The field whose value is a snapshot's key.
    var key = ""
    /// What the keys on the server begin with; nil for the store's name and a colon.
    var prefix: String?
    /// How long a snapshot is kept; nil for ever.
    var timeToLive: Duration?
    /// How long it is remembered that a key was taken out.
    var evictionMemory = Duration.seconds(86_400)
    /// How many bytes a snapshot may have, names and values.
    var maxRecordBytes = Self.defaultRecordBytes
    /// How long a server that is away is waited for before the run ends.
    var patience = Duration.seconds(30)
    /// The server, where it is another than that of the section `redis`.
    var server: RedisSettings?

    /// The same as a memory store's: a session has a hundred.
    static let defaultRecordBytes = 64 << 10
    /// Beyond this one snapshot would hold up all that is sent with it.
    static let recordBytes = 64...(8 << 20)
    /// So many fields one call of the script takes: Lua's stack has 8,000 places, two a field.
    static let fieldLimit = 1000
    /// The shortest time to keep something: below it, nothing would be there by the time it is asked for.
    static let minimumTime = Duration.milliseconds(1)

    /// How they are read.
    static let type = SettingType.object(
        SettingsSchema(
            RedisStoreSettings(),
            [
                .required("key", \.key, .nonBlankText, "The field whose value a snapshot is held under."),
                .optional(
                    "prefix", \.prefix, .optional(.nonBlankText), default: "the store's name and a colon",
                    "What the keys on the server begin with. Every key that does belongs to the store, so no stream, bootstrap "
                        + "pattern or other store of the file may have such keys."),
                .optional(
                    "ttl", \.timeToLive, .limit(minimum: Self.minimumTime), default: "for ever",
                    "How long a snapshot is kept after its last change."),
                .optional(
                    "eviction_memory", \.evictionMemory, .duration(minimum: Self.minimumTime), default: "1d",
                    "How long it is remembered that a key was taken out, so that no older entry brings it back."),
                .optional(
                    "max_record_bytes", \.maxRecordBytes, .byteSize(Self.recordBytes), default: "64KiB",
                    "How large a snapshot may be, names and values; larger ones are refused."),
                .optional(
                    "patience", \.patience, .duration(minimum: Self.minimumTime), default: "30s",
                    "How long a server that is away is waited for, before the run ends with the batch not done."),
                .optional(
                    "server", \.server, .optional(RedisSettings.type), default: "that of the section redis",
                    "The server, with the settings of the section redis."),
            ]))
}
