import CSQLite

/// A failed call of SQLite.
struct SQLiteFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The extended result code.
    var code: Int32
    /// SQLite's message, with a remedy for the codes that operators meet.
    var message: String

    /// The message.
    var description: String { self.message }

    /// Creates a failure from a result code and SQLite's message.
    init(code: Int32, message: String) {
        self.code = code
        self.message = Self.advice(code & 0xFF).map { "\(message): \($0)" } ?? message
    }

    /// The remedy for a primary result code, or `nil` if there is none.
    private static func advice(_ code: Int32) -> String? {
        switch code {
        case SQLITE_BUSY, SQLITE_LOCKED:
            "another program holds a lock on the file for longer than busy_timeout: end its transaction"
        case SQLITE_CORRUPT: "the file is damaged: move it away, so that the store is filled again from the stream"
        case SQLITE_NOTADB: "the file is not a SQLite database: choose another path"
        case SQLITE_FULL: "the file system has no space left: free some, and restart the worker"
        case SQLITE_READONLY, SQLITE_PERM, SQLITE_CANTOPEN:
            "the worker needs permission to write to the file and to its directory"
        default: nil
        }
    }
}
