import LocalFiles
import StageKit

/// Where the bytes of a checkpoint are kept: as a whole or not at all, whatever happens meanwhile.
package protocol CheckpointPlace: Sendable {
    /// What an operator knows it as.
    var name: String { get }

    /// Lends what is kept to `body`, which asks for up to so many bytes and gets fewer only at the end; returns nil,
    /// without a call, where nothing is kept.
    func read<R>(_ body: (_ read: @escaping (Int) throws -> [UInt8]) throws -> R) throws -> R?

    /// Takes the pieces that `body` writes and, where all of them are safe, calls `decide`, which may have them kept in
    /// place of what was; whatever is thrown, or not kept, leaves what was.
    func replace(
        _ body: (_ write: @escaping ([UInt8]) throws -> Void) throws -> Void,
        keeping decide: (_ keep: () throws -> Void) throws -> Void
    ) throws

    /// Keeps these few bytes in place of what was, for good, also while `replace` is under way elsewhere.
    func put(_ bytes: [UInt8]) throws

    /// Takes away what is kept, for good; nothing there is fine.
    func remove() throws

    /// Whether something is kept, however little: an empty file is, although `read` finds nothing in it.
    var isPresent: Bool { get }

    /// Claims the place until `release`, so that no other worker writes there; see `CheckpointKeeper.claim`.
    func claim() throws

    /// Ends the claim.
    func release()
}

extension CheckpointPlace {
    /// False: nothing is kept that `read` does not find.
    package var isPresent: Bool { false }

    /// Does nothing: nobody else can reach the place.
    package func claim() throws {}

    /// Does nothing.
    package func release() {}
}

/// A local file that holds a checkpoint.
final class CheckpointFile: CheckpointPlace {
    /// Whether this run may write.
    private enum Claim {
        /// Nobody asked for a claim.
        case none
        /// The claim failed, as when the directory is missing: it is tried again before each write.
        case wanted
        case held(FileLock)
    }

    /// The file.
    let path: String
    private let lock = OrderedMutex(Claim.none)

    /// Names the file; nothing is opened.
    init(path: String) {
        self.path = path
    }

    /// The file.
    var name: String { self.path }

    /// Whether the file exists.
    var isPresent: Bool { FileLinks.exists(self.path) }

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

    /// Writes another file beside it, and puts it in its place.
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

    /// Writes the bytes to a file of their own beside it, and puts that in its place.
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
