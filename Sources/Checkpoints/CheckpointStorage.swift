import ComponentKit
import LocalFiles
import StageKit

/// Storage for the bytes of a checkpoint, which are replaced atomically, even if the process or the machine stops.
package protocol CheckpointStorage: Sendable {
    /// The name that is shown to operators.
    var name: String { get }

    /// Passes `body` a function that reads up to the requested number of bytes, and fewer only at the end; returns
    /// `nil` without a call if nothing is stored.
    func read<R>(_ body: (_ read: @escaping (Int) throws -> [UInt8]) throws -> R) throws -> R?

    /// Stores the pieces that `body` writes. When all of them are stored safely, calls `decide`, which may put them
    /// in place of the previous bytes. If an error is thrown, or the pieces are not put in place, the previous bytes
    /// remain.
    func replace(
        _ body: (_ write: @escaping ([UInt8]) throws -> Void) throws -> Void,
        keeping decide: (_ keep: () throws -> Void) throws -> Void
    ) throws

    /// Durably replaces the stored bytes with these few, even while `replace` is running on another thread.
    func put(_ bytes: [UInt8]) throws

    /// Durably removes the stored bytes, if there are any.
    func remove() throws

    /// Whether anything is stored, even an empty file, for which `read` returns `nil`.
    var isPresent: Bool { get }

    /// The number of stored bytes, or `nil` if it is not known.
    var size: Int? { get }

    /// Claims the storage until `release`, so that no other worker writes to it; see `CheckpointKeeper.claim`.
    func claim() throws

    /// Ends the claim.
    func release()
}

extension CheckpointStorage {
    /// `false`: `read` returns everything that is stored.
    package var isPresent: Bool { false }

    /// Not known.
    package var size: Int? { nil }

    /// Does nothing: no other process can reach the memory.
    package func claim() throws {}

    /// Does nothing.
    package func release() {}
}

/// A local file that holds a checkpoint.
final class CheckpointFile: CheckpointStorage {
    /// Whether this run may write.
    private enum Claim {
        /// No claim was requested.
        case none
        /// The claim failed, for example because the directory is missing; it is retried before each write.
        case wanted
        case held(FileLock)
    }

    /// The file.
    let path: String
    private let lock = OrderedMutex(Claim.none)

    /// Creates a checkpoint location for a path; nothing is opened.
    init(path: String) {
        self.path = path
    }

    /// The file.
    var name: String { self.path }

    /// Whether the file exists.
    var isPresent: Bool { FileLinks.exists(self.path) }

    /// The size of the file.
    var size: Int? {
        guard let file = try? InputFile(trusted: self.path) else { return nil }
        return file.size
    }

    /// Claims the file.
    ///
    /// - Throws: `CheckpointInUse` if another worker holds the claim, `SystemFailure` if none can be held.
    func claim() throws {
        try self.lock.withLock { claim in
            claim = .wanted
            try self.hold(&claim)
        }
    }

    /// Ends the claim.
    func release() {
        self.lock.withLock { $0 = .none }
    }

    private func hold(_ claim: inout Claim) throws {
        guard case .wanted = claim else { return }
        do throws(FileLock.Failure) {
            claim = .held(try FileLock(claiming: self.path))
        } catch {
            switch error {
            case .held(let held): throw CheckpointInUse(path: self.path, lock: held.file, pid: held.pid)
            case .system(let failure): throw failure
            }
        }
    }

    private func ensureClaim() throws {
        try self.lock.withLock { try self.hold(&$0) }
    }

    /// Reads the file; an empty one counts as none.
    ///
    /// - Throws: `SystemFailure`, also if the file is not a regular file or if another user could have written it.
    func read<R>(_ body: (_ read: @escaping (Int) throws -> [UInt8]) throws -> R) throws -> R? {
        guard let file = try InputFile(trusted: self.path), file.size > 0 else { return nil }
        let input = file.input
        return try body { try input.read($0) }
    }

    /// Writes a new file in the same directory and renames it over the old one.
    func replace(
        _ body: (_ write: @escaping ([UInt8]) throws -> Void) throws -> Void,
        keeping decide: (_ keep: () throws -> Void) throws -> Void
    ) throws {
        try self.ensureClaim()
        var file = try AtomicFile(replacing: self.path)
        let output = file.output
        try body { try output.write($0) }
        try file.sync()
        try decide { try file.commit() }
    }

    /// Writes the bytes to a new file in the same directory and renames it over the old one.
    func put(_ bytes: [UInt8]) throws {
        try self.ensureClaim()
        var file = try AtomicFile(replacing: self.path, beside: ".mark")
        try file.output.write(bytes)
        try file.sync()
        try file.commit()
    }

    /// Removes the file.
    func remove() throws {
        try self.ensureClaim()
        try AtomicFile.remove(self.path)
    }
}
