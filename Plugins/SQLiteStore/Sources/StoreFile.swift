import Glibc
import LocalFiles
import StageKit

/// The database file of a store: its schema, and the statements on it. Used by one thread at a time.
///
/// Changes are durable when `write` returns: the write-ahead log is synchronized for each transaction (`synchronous =
/// FULL`), because a checkpoint of the source's position would otherwise get ahead of the store in a power failure. With
/// the log, readers do not wait for the writer.
final class StoreFile {
    /// `SLUC`: identifies the files of this store, also for the program `file`.
    static let applicationID: Int64 = 0x534C_5543
    /// The version of the schema.
    static let version: Int64 = 1
    /// The maximum number of evicted keys that are remembered: some 100 MB of the file.
    static let evictionLimit = 1_000_000
    /// The number of rows per page of an export.
    static let pageSize = 500

    /// The numbers that the file keeps, so that opening a large file is fast.
    struct Totals: Sendable, Equatable {
        /// The number of snapshots.
        var live = 0
        /// The number of evicted keys that are remembered.
        var evicted = 0
        /// The number of evictions so far: their order.
        var sequence: Int64 = 0
        /// The newest forgotten eviction of each stream; the empty name stands for all.
        var floors: [String: EntryID] = [:]
    }

    private static let schema = [
        """
        CREATE TABLE snapshots (
            key BLOB PRIMARY KEY NOT NULL, entry BLOB NOT NULL, stream TEXT NOT NULL, fields BLOB, evicted INTEGER
        ) WITHOUT ROWID
        """,
        "CREATE INDEX evictions ON snapshots (evicted) WHERE evicted IS NOT NULL",
        "CREATE TABLE floors (stream TEXT PRIMARY KEY NOT NULL, entry BLOB NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE store (
            id INTEGER PRIMARY KEY CHECK (id = 1), key_field TEXT NOT NULL, live INTEGER NOT NULL,
            evicted INTEGER NOT NULL, sequence INTEGER NOT NULL
        )
        """,
    ]

    private let connection: SQLiteConnection
    private let evictionLimit: Int

    /// Opens the file for changes; creates it with mode 0600 if it does not exist.
    ///
    /// - Throws: `SQLiteFailure`, or `StoreFileRefusal` if the file belongs to something else.
    init(
        path: String, keyField: String, busyTimeout: Duration, evictionLimit: Int = StoreFile.evictionLimit
    ) throws {
        try Self.create(path)
        self.evictionLimit = evictionLimit
        self.connection = try SQLiteConnection(path: path, busyTimeout: busyTimeout)
        // Everything that only reads comes first: a file of another program is not changed.
        let isEmpty = try Self.isEmpty(self.connection, keyField: keyField)
        try self.configure()
        if isEmpty { try self.createSchema(keyField) }
    }

    /// Checks a file that exists without changing it.
    ///
    /// - Returns: Whether the file is empty.
    /// - Throws: `SQLiteFailure`, or `StoreFileRefusal` if the file belongs to something else.
    static func check(_ path: String, keyField: String, busyTimeout: Duration) throws -> Bool {
        try self.isEmpty(SQLiteConnection(path: path, busyTimeout: busyTimeout), keyField: keyField)
    }

    private static func isEmpty(_ connection: SQLiteConnection, keyField: String) throws -> Bool {
        let application = try self.number("PRAGMA application_id", connection)
        let version = try self.number("PRAGMA user_version", connection)
        let isEmpty = try self.number("SELECT count(*) FROM sqlite_master", connection) == 0
        guard application == self.applicationID || (isEmpty && application == 0 && version == 0) else {
            throw StoreFileRefusal("it is the database of another program: choose another path")
        }
        guard version <= self.version else {
            throw StoreFileRefusal(
                "it was written by a newer version of Sluice (schema \(version), this one knows \(self.version)): "
                    + "use that version, or another path")
        }
        if isEmpty { return true }
        guard case .text(let field)? = try connection.rows("SELECT key_field FROM store").first?.first else {
            throw StoreFileRefusal("it is incomplete: move it away, so that the store is filled again from the stream")
        }
        guard field == keyField else {
            throw StoreFileRefusal("its snapshots have the key \(field), not \(keyField): choose another path")
        }
        return false
    }

    /// Opens a file that a writer has opened, for lookups only.
    init(reading path: String, busyTimeout: Duration) throws(SQLiteFailure) {
        self.evictionLimit = 0
        self.connection = try SQLiteConnection(path: path, busyTimeout: busyTimeout)
        try self.connection.run("PRAGMA query_only = ON")
        try self.connection.run("PRAGMA cell_size_check = ON")
    }

    /// Creates the file if it does not exist. SQLite gives the log and the index beside it the same permissions.
    private static func create(_ path: String) throws {
        if try self.isTrusted(path) { return }
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemFailure("create \(path)") }
        close(descriptor)
    }

    /// Whether there is a file; throws if another user could have written it.
    static func isTrusted(_ path: String) throws(SystemFailure) -> Bool {
        guard let file = try InputFile(trusted: path) else { return false }
        return file.size >= 0
    }

    private func configure() throws {
        guard case .text("wal")? = try self.connection.rows("PRAGMA journal_mode = WAL").first?.first else {
            throw StoreFileRefusal("its file system does not support a write-ahead log: choose a local one")
        }
        try self.connection.run("PRAGMA synchronous = FULL")
        // Detects damaged pages before they are used.
        try self.connection.run("PRAGMA cell_size_check = ON")
        // A schema that somebody has changed must not run functions.
        try self.connection.run("PRAGMA trusted_schema = OFF")
    }

    private func createSchema(_ keyField: String) throws(SQLiteFailure) {
        try self.transaction { (connection) throws(SQLiteFailure) in
            for statement in Self.schema { try connection.run(statement) }
            try connection.run("INSERT INTO store VALUES (1, ?, 0, 0, 0)", .text(keyField))
            try connection.run("PRAGMA application_id = \(Self.applicationID)")
            try connection.run("PRAGMA user_version = \(Self.version)")
        }
    }

    private static func number(_ sql: String, _ connection: SQLiteConnection) throws(SQLiteFailure) -> Int64 {
        if case .integer(let number)? = try connection.rows(sql).first?.first { number } else { 0 }
    }

    private func transaction(
        _ body: (SQLiteConnection) throws(SQLiteFailure) -> Void
    ) throws(SQLiteFailure) {
        try self.connection.run("BEGIN IMMEDIATE")
        do {
            try body(self.connection)
            try self.connection.run("COMMIT")
        } catch {
            // Some errors roll back on their own.
            if self.connection.isInTransaction { try? self.connection.run("ROLLBACK") }
            throw error
        }
    }

    // MARK: Lookups

    /// The numbers in the file.
    func totals() throws(SQLiteFailure) -> Totals {
        var totals = Totals()
        guard let row = try self.connection.rows("SELECT live, evicted, sequence FROM store").first,
            case .integer(let live) = row[0], case .integer(let evicted) = row[1],
            case .integer(let sequence) = row[2]
        else { throw Self.damage }
        totals.live = Int(clamping: live)
        totals.evicted = Int(clamping: evicted)
        totals.sequence = sequence
        for row in try self.connection.rows("SELECT stream, entry FROM floors") {
            guard case .text(let stream) = row[0], let entry = Self.entry(row[1]) else { throw Self.damage }
            totals.floors[stream] = entry
        }
        return totals
    }

    /// The state of a key, or `nil` if nothing is known of it.
    func state(of key: [UInt8]) throws(SQLiteFailure) -> KeyState? {
        let rows = try self.connection.rows("SELECT entry, stream, fields FROM snapshots WHERE key = ?", .blob(key))
        guard let row = rows.first else { return nil }
        return try Self.state(row[...])
    }

    /// The next snapshots, or records of evictions, after a key in the order of keys, or the first ones; an empty array
    /// at the end.
    func page(
        after key: [UInt8]?, ofEvictions: Bool = false
    ) throws(SQLiteFailure) -> [(key: [UInt8], state: KeyState)] {
        let limit = SQLiteValue.integer(Int64(Self.pageSize))
        let columns =
            "SELECT key, entry, stream, fields FROM snapshots WHERE fields IS \(ofEvictions ? "" : "NOT ")NULL"
        let rows =
            if let key {
                try self.connection.rows("\(columns) AND key > ? ORDER BY key LIMIT ?", .blob(key), limit)
            } else {
                try self.connection.rows("\(columns) ORDER BY key LIMIT ?", limit)
            }
        var page: [(key: [UInt8], state: KeyState)] = []
        for row in rows {
            guard case .blob(let key) = row[0] else { throw Self.damage }
            page.append((key, try Self.state(row[1...])))
        }
        return page
    }

    /// Reads the columns entry, stream and fields.
    private static func state(_ row: ArraySlice<SQLiteValue>) throws(SQLiteFailure) -> KeyState {
        let columns = Array(row)
        guard let entry = self.entry(columns[0]), case .text(let stream) = columns[1] else { throw self.damage }
        switch columns[2] {
        case .null: return KeyState(entry: entry, stream: stream, fields: nil)
        case .blob(let bytes):
            guard let fields = SnapshotCodec.fields(bytes) else { throw self.damage }
            return KeyState(entry: entry, stream: stream, fields: fields)
        case .integer, .text: throw self.damage
        }
    }

    private static func entry(_ value: SQLiteValue) -> EntryID? {
        if case .blob(let bytes) = value { SnapshotCodec.entry(bytes) } else { nil }
    }

    private static var damage: SQLiteFailure {
        // SQLITE_CORRUPT.
        SQLiteFailure(code: 11, message: "a row has an unexpected form")
    }

    // MARK: Changes

    /// Makes changes in one transaction, and returns the numbers after them. If it throws, the file is unchanged.
    ///
    /// - Parameters:
    ///   - changes: The new state of each key.
    ///   - totals: The numbers after these changes.
    ///   - isEmptied: Whether everything is removed first.
    func write(
        _ changes: [[UInt8]: KeyState], _ totals: Totals, isEmptied: Bool
    ) throws(SQLiteFailure) -> Totals {
        var totals = totals
        try self.transaction { (connection) throws(SQLiteFailure) in
            if isEmptied {
                try connection.run("DELETE FROM snapshots")
                try connection.run("DELETE FROM floors")
            }
            // In the order of entries, so that the oldest evictions are forgotten first.
            for (key, state) in changes.sorted(by: { $0.value.entry < $1.value.entry }) {
                if !state.isLive { totals.sequence += 1 }
                try connection.run(
                    "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?)", .blob(key),
                    .blob(SnapshotCodec.bytes(state.entry)), .text(state.stream),
                    state.fields.map { .blob(SnapshotCodec.bytes($0)) } ?? .null,
                    state.isLive ? .null : .integer(totals.sequence))
            }
            try self.forget(&totals)
            try self.save(totals)
        }
        return totals
    }

    /// Removes every snapshot of an entry before this one, and returns the numbers after it.
    func removeSnapshots(before entry: EntryID, _ totals: Totals) throws(SQLiteFailure) -> Totals {
        var totals = totals
        try self.transaction { (connection) throws(SQLiteFailure) in
            try connection.run(
                "DELETE FROM snapshots WHERE fields IS NOT NULL AND entry < ?", .blob(SnapshotCodec.bytes(entry)))
            totals.live -= connection.changes
            try self.save(totals)
        }
        return totals
    }

    /// Forgets the oldest evictions above the limit. The floor of each stream rises to them, so that no older entry
    /// brings a forgotten key back.
    private func forget(_ totals: inout Totals) throws(SQLiteFailure) {
        let excess = totals.evicted - self.evictionLimit
        guard excess > 0 else { return }
        let rows = try self.connection.rows(
            "SELECT key, stream, entry FROM snapshots WHERE evicted IS NOT NULL ORDER BY evicted LIMIT ?",
            .integer(Int64(excess)))
        for row in rows {
            guard case .text(let stream) = row[1], let entry = Self.entry(row[2]) else { throw Self.damage }
            totals.floors[stream] = max(totals.floors[stream] ?? entry, entry)
            try self.connection.run("DELETE FROM snapshots WHERE key = ?", row[0])
        }
        totals.evicted -= rows.count
        for (stream, entry) in totals.floors {
            try self.connection.run(
                "INSERT OR REPLACE INTO floors VALUES (?, ?)", .text(stream), .blob(SnapshotCodec.bytes(entry)))
        }
    }

    private func save(_ totals: Totals) throws(SQLiteFailure) {
        try self.connection.run(
            "UPDATE store SET live = ?, evicted = ?, sequence = ?", .integer(Int64(totals.live)),
            .integer(Int64(totals.evicted)), .integer(totals.sequence))
    }
}

/// A file that cannot hold the store.
struct StoreFileRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    /// The reason and the remedy.
    var description: String

    /// Creates a refusal.
    init(_ description: String) {
        self.description = description
    }
}
