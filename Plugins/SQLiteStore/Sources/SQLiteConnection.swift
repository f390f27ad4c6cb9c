import CSQLite

/// A value of a parameter or a column.
enum SQLiteValue: Sendable, Equatable {
    /// No value.
    case null
    /// A number.
    case integer(Int64)
    /// Text without NUL.
    case text(String)
    /// Bytes.
    case blob([UInt8])
}

/// A connection to a database file. Used by one thread at a time.
///
/// All unsafe code of this plugin. `handle` is a connection that `deinit` closes; `statements` belong to it, and are
/// finalized before. A pointer that SQLite returns is only used until the next call on its statement.
@safe
final class SQLiteConnection {
    /// A prepared statement.
    @safe
    private struct Statement {
        let pointer: OpaquePointer
    }

    private let handle: OpaquePointer
    /// The prepared statements by their text.
    private var statements: [String: Statement] = [:]

    /// Opens a file that exists.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - busyTimeout: How long a statement waits for a lock that another program holds.
    init(path: String, busyTimeout: Duration) throws(SQLiteFailure) {
        var opened: OpaquePointer?
        // Without SQLITE_OPEN_CREATE: the store creates the file, with its own permissions. Without mutexes in SQLite:
        // the store has its own.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
        let code = unsafe sqlite3_open_v2(path, &opened, flags, nil)
        guard let handle = unsafe opened else {
            throw SQLiteFailure(code: SQLITE_NOMEM, message: "no memory for a connection")
        }
        guard code == SQLITE_OK else {
            let failure = unsafe SQLiteFailure(
                code: sqlite3_extended_errcode(handle), message: String(cString: sqlite3_errmsg(handle)))
            _ = unsafe sqlite3_close_v2(handle)
            throw failure
        }
        unsafe self.handle = handle
        let (seconds, attoseconds) = busyTimeout.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        _ = unsafe sqlite3_busy_timeout(handle, Int32(clamping: milliseconds))
    }

    deinit {
        for statement in self.statements.values { _ = unsafe sqlite3_finalize(statement.pointer) }
        _ = unsafe sqlite3_close_v2(self.handle)
    }

    /// Whether a transaction is open.
    var isInTransaction: Bool { unsafe sqlite3_get_autocommit(self.handle) == 0 }

    /// The number of rows that the last statement changed.
    var changes: Int { Int(unsafe sqlite3_changes(self.handle)) }

    /// Runs a statement and ignores its rows.
    func run(_ sql: String, _ values: SQLiteValue...) throws(SQLiteFailure) {
        _ = try self.rows(sql, values)
    }

    /// Runs a statement and returns its rows.
    func rows(_ sql: String, _ values: SQLiteValue...) throws(SQLiteFailure) -> [[SQLiteValue]] {
        try self.rows(sql, values)
    }

    private func rows(_ sql: String, _ values: [SQLiteValue]) throws(SQLiteFailure) -> [[SQLiteValue]] {
        let statement = try self.statement(sql)
        defer {
            _ = unsafe sqlite3_reset(statement.pointer)
            _ = unsafe sqlite3_clear_bindings(statement.pointer)
        }
        for (index, value) in values.enumerated() {
            guard Self.bind(value, Int32(index) + 1, statement) == SQLITE_OK else { throw self.failure }
        }
        var rows: [[SQLiteValue]] = []
        while true {
            switch unsafe sqlite3_step(statement.pointer) {
            case SQLITE_DONE: return rows
            case SQLITE_ROW: rows.append(Self.row(statement))
            default: throw self.failure
            }
        }
    }

    private func statement(_ sql: String) throws(SQLiteFailure) -> Statement {
        if let known = self.statements[sql] { return known }
        var prepared: OpaquePointer?
        let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
        guard unsafe sqlite3_prepare_v3(self.handle, sql, -1, flags, &prepared, nil) == SQLITE_OK,
            let pointer = unsafe prepared
        else { throw self.failure }
        let statement = unsafe Statement(pointer: pointer)
        self.statements[sql] = statement
        return statement
    }

    private var failure: SQLiteFailure {
        unsafe SQLiteFailure(
            code: sqlite3_extended_errcode(self.handle), message: String(cString: sqlite3_errmsg(self.handle)))
    }

    private static func bind(_ value: SQLiteValue, _ index: Int32, _ statement: Statement) -> Int32 {
        switch value {
        case .null: unsafe sqlite3_bind_null(statement.pointer, index)
        case .integer(let number): unsafe sqlite3_bind_int64(statement.pointer, index, number)
        case .text(let text): unsafe sluiceBindText(statement.pointer, index, text)
        case .blob(let bytes): unsafe sluiceBindBlob(statement.pointer, index, bytes, UInt64(bytes.count))
        }
    }

    private static func row(_ statement: Statement) -> [SQLiteValue] {
        (0..<(unsafe sqlite3_column_count(statement.pointer))).map { column in
            switch unsafe sqlite3_column_type(statement.pointer, column) {
            case SQLITE_INTEGER: return .integer(unsafe sqlite3_column_int64(statement.pointer, column))
            case SQLITE_TEXT:
                guard let text = unsafe sqlite3_column_text(statement.pointer, column) else { return .null }
                return .text(unsafe String(cString: text))
            case SQLITE_BLOB:
                // An empty value has no pointer.
                guard let start = unsafe sqlite3_column_blob(statement.pointer, column) else { return .blob([]) }
                let count = Int(unsafe sqlite3_column_bytes(statement.pointer, column))
                return .blob(unsafe Array(UnsafeRawBufferPointer(start: start, count: count)))
            default: return .null
            }
        }
    }
}
