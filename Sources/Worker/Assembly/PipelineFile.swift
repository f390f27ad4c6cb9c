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

    /// The file's bytes.
    static func read(_ path: String) throws(Unreadable) -> [UInt8] {
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw Unreadable(description: "\(path): there is no such file")
        }
        if isDirectory { throw Unreadable(description: "\(path): is a directory; name a pipeline file") }
        guard let handle = try? BoundedReader(path: path), let bytes = try? handle.read(limit: Self.byteLimit) else {
            throw Unreadable(description: "\(path): cannot be read; check its permissions")
        }
        return bytes
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
            text = try PipelineFile.read(path)
        } catch {
            self.refuseReload("\(error)")
            throw error
        }
        return try self.reload(text: text)
    }
}
