import LocalFiles

/// Reads pipeline files.
package enum PipelineFile {
    /// The maximum file size in bytes. The parser refuses larger files with a position; this limit stops endless input
    /// from a device or a pipe.
    package static let byteLimit = 2 << 20

    /// A file that cannot be read.
    package struct Unreadable: Error, CustomStringConvertible {
        /// The problem and its remedy.
        package var description: String
    }

    /// The name of standard input on the command line.
    package static let standardInput = "-"

    /// Reads the file's bytes.
    ///
    /// Only a regular file is read, so that the worker never blocks on the writer of a FIFO; at its start, a command
    /// also reads standard input and other inherited descriptors.
    ///
    /// - Parameters:
    ///   - path: The file, or `-` for standard input.
    ///   - isReload: Whether the worker is already running, so that standard input is already consumed.
    /// - Throws: `Unreadable` if the file cannot be read.
    package static func read(_ path: String, isReload: Bool = false) throws(Unreadable) -> [UInt8] {
        if Self.isDescriptor(path) {
            guard !isReload else {
                throw Unreadable(
                    description: "\(path): standard input cannot be read again; start with a file to reload it")
            }
            let file = path == Self.standardInput ? "/dev/stdin" : path
            guard let reader = try? BoundedReader(path: file), let bytes = try? reader.read(limit: Self.byteLimit)
            else {
                throw Unreadable(description: "\(path): cannot be read")
            }
            return bytes
        }
        let reader: BoundedReader
        do throws(BoundedReader.SystemError) {
            reader = try BoundedReader(path: path, waits: false)
        } catch {
            let problem = error.isMissing ? "there is no such file" : "cannot be read; check its permissions"
            throw Unreadable(description: "\(path): \(problem)")
        }
        if reader.isDirectory { throw Unreadable(description: "\(path): is a directory; name a pipeline file") }
        guard reader.isRegular else {
            throw Unreadable(description: "\(path): is not a regular file; name a file, or - for standard input")
        }
        guard let bytes = try? reader.read(limit: Self.byteLimit) else {
            throw Unreadable(description: "\(path): cannot be read; check its permissions")
        }
        return bytes
    }

    /// Whether a path names a descriptor that the process was started with: `-`, `/dev/stdin`, `/dev/fd/N`.
    private static func isDescriptor(_ path: String) -> Bool {
        [Self.standardInput, "/dev/stdin"].contains(path)
            || ["/dev/fd/", "/proc/self/fd/"].contains { path.hasPrefix($0) }
    }
}

extension Pipeline {
    /// Reads and checks a pipeline file.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - environment: The values for `${NAME}` in the file, such as `ProcessInfo.processInfo.environment`.
    ///   - overrides: Overrides of values in the file.
    ///   - catalogue: The types that the file may name.
    ///   - services: Logger, metrics, revocation handler and observer.
    /// - Throws: `ConfigurationError` with all errors in the file, or an error if the file cannot be read.
    public convenience init(
        contentsOf path: String, environment: [String: String], overrides: [Override] = [],
        catalogue: Catalogue, services: PipelineServices
    ) throws {
        try self.init(
            text: PipelineFile.read(path), file: path, environment: environment, overrides: overrides,
            catalogue: catalogue, services: services)
    }

    /// Reloads the pipeline file while the pipeline runs; see `reload(text:)`.
    ///
    /// - Throws: `ConfigurationError` with all errors that prevent the reload, or an error if the file cannot be read.
    ///   The previous version stays active.
    @discardableResult
    public func reload(contentsOf path: String) throws -> PipelineReloads.Result {
        let text: [UInt8]
        do {
            text = try PipelineFile.read(path, isReload: true)
        } catch {
            self.refuseReload("\(error)")
            throw error
        }
        return try self.reload(text: text)
    }
}
