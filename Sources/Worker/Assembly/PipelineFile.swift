public import PipelineEngine

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Reads pipeline files.
enum PipelineFile {
    /// The largest file read, in bytes: the parser refuses larger ones with the place; this keeps a device or a pipe that
    /// never ends from being read at all.
    static let byteLimit = 2 << 20

    /// A file that cannot be read.
    struct Unreadable: Error, CustomStringConvertible {
        /// What is wrong and what to do.
        var description: String
    }

    /// The name of standard input on the command line.
    static let standardInput = "-"

    /// The file's bytes.
    ///
    /// Only a regular file is read, so that nobody waits for the writer of a FIFO; a command that starts also reads standard
    /// input and other descriptors that it was given.
    ///
    /// - Parameters:
    ///   - path: The file, or `-` for standard input.
    ///   - isReload: Whether a worker runs already, so that standard input has been read.
    static func read(_ path: String, isReload: Bool = false) throws(Unreadable) -> [UInt8] {
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
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw Unreadable(description: "\(path): there is no such file")
        }
        if isDirectory { throw Unreadable(description: "\(path): is a directory; name a pipeline file") }
        guard let reader = try? BoundedReader(path: path, waits: false) else {
            throw Unreadable(description: "\(path): cannot be read; check its permissions")
        }
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
    /// Reads and checks a pipeline file with everything that ships with Sluice, for a program that embeds it.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - environment: What `${NAME}` in the file stands for, such as `ProcessInfo.processInfo.environment`.
    ///   - overrides: Values given beside the file.
    ///   - catalogue: The types that the file may name.
    ///   - services: Logger, metrics, revocation handler and observer.
    /// - Throws: `ConfigurationError` with everything that is wrong with the file, or an error that it cannot be read.
    public convenience init(
        contentsOf path: String, environment: [String: String], overrides: [Override] = [],
        catalogue: Catalogue = .standard, services: PipelineServices
    ) throws {
        try self.init(
            text: PipelineFile.read(path), file: path, environment: environment, overrides: overrides,
            catalogue: catalogue, services: services)
    }

    /// Takes over what a pipeline file says now, while the pipeline runs; see `reload(text:)`.
    ///
    /// - Throws: `ConfigurationError` with everything that keeps it from being taken over, or an error that the file
    ///   cannot be read. The version before runs on.
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
