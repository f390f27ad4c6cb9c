import LocalFiles
import Logging

/// A file of lines that follows log rotation: it is opened for appending and reopened on request.
struct LineFile: ~Copyable, Sendable {
    /// The file cannot be opened.
    struct Failure: Error {
        /// The file and the reason.
        var description: String
    }

    private let path: String
    /// The name in messages, such as "journal".
    private let name: String
    private let rotation: FileRotation?
    private let logger: Logger?
    private var file: AppendedFile
    /// The number of handled requests to reopen the file.
    private var generation: UInt64

    /// Opens the file for appending.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - name: The name in messages, such as "journal".
    ///   - rotation: The requests to reopen the file.
    ///   - logger: The logger for a line that was cut off and for a file that cannot be reopened.
    init(path: String, name: String, rotation: FileRotation?, logger: Logger?) throws(Failure) {
        // Before the file is opened, so that no request in between is missed.
        let generation = rotation?.generation ?? 0
        let file = try Self.open(path, name, logger)
        self.path = path
        self.name = name
        self.rotation = rotation
        self.logger = logger
        self.file = file
        self.generation = generation
    }

    /// Writes lines to a descriptor that stays open, such as standard output.
    init(standard descriptor: Int32, name: String) {
        self.path = "-"
        self.name = name
        self.rotation = nil
        self.logger = nil
        self.file = AppendedFile(standard: descriptor, name: name)
        self.generation = 0
    }

    /// Writes complete lines, as `AppendedFile.append` does; reopens the file first if that was requested.
    mutating func append(_ bytes: [UInt8], isStopped: () -> Bool) throws(SystemFailure) {
        self.followRotation()
        try self.file.append(bytes, isStopped: isStopped)
    }

    private static func open(_ path: String, _ name: String, _ logger: Logger?) throws(Failure) -> AppendedFile {
        do throws(SystemFailure) {
            let file = try AppendedFile(path: path)
            if file.tornBytes > 0 {
                logger?.warning(
                    "the \(name) ended with an incomplete line: a line end was added",
                    metadata: ["path": "\(path)", "bytes": "\(file.tornBytes)"])
            }
            return file
        } catch {
            throw Failure(description: "cannot open the \(name) \(path): \(error.reason)")
        }
    }

    /// Reopens the file if requested; if that fails, lines go to the old file.
    private mutating func followRotation() {
        guard let rotation = self.rotation, rotation.generation != self.generation else { return }
        self.generation = rotation.generation
        do throws(Failure) {
            self.file = try Self.open(self.path, self.name, self.logger)
        } catch {
            self.logger?.error(
                "cannot reopen the \(self.name): writing to the open file continues",
                metadata: ["error": "\(error.description)"])
        }
    }
}
