import LocalFiles
import NIOCore
import NIOPosix
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The file of the Unix socket that the server listens on.
///
/// A socket file gets its permissions only after it exists, so the socket is bound in a new directory that only this user
/// may enter, and appears at its path with its permissions set.
final class UnixSocketFile: Sendable {
    /// Only the worker's own user may connect.
    static let permissions: mode_t = 0o600

    /// The absolute path.
    let path: String
    /// The directory that the socket is bound in.
    private let directory: String
    /// The published socket, or `nil` until then.
    private let published = Mutex<FileIdentity?>(nil)

    /// The path to bind to.
    var bindPath: String { "\(self.directory)/s" }

    /// Creates the directory for a socket at an absolute path.
    ///
    /// - Throws: `AdminError` if the directory of the path cannot be written, or if its name is too long.
    init(path: String) throws {
        self.path = path
        let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "/"
        var template = Array("\(parent).XXXXXX".utf8CString)
        guard template.count + 1 <= AdminAddress.pathLimit else {
            let limit = AdminAddress.pathLimit - 9
            throw AdminError.cannotListen(
                .unix(path: path), reason: "the path of its directory has more than \(limit) bytes")
        }
        let isMade = unsafe template.withUnsafeMutableBufferPointer { unsafe mkdtemp($0.baseAddress!) } != nil
        guard isMade else {
            throw AdminError.cannotListen(.unix(path: path), reason: unsafe String(cString: strerror(errno)))
        }
        self.directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // Both are gone if the socket was published.
        unsafe unlink(self.bindPath)
        unsafe rmdir(self.directory)
    }

    /// Removes a socket that nobody listens on, left over from a worker that was killed.
    ///
    /// - Throws: `AdminError` if another process listens on the socket, or if the path is not a socket.
    func clear(on loop: any EventLoop) async throws {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: self.path) else { return }
        guard attributes[.type] as? FileAttributeType == .typeSocket else {
            throw AdminError.notASocket(path: self.path)
        }
        let connection: any Channel
        do {
            connection = try await ClientBootstrap(group: loop).connect(unixDomainSocketPath: self.path).get()
        } catch let error as IOError where error.errnoCode == ECONNREFUSED {
            try FileManager.default.removeItem(atPath: self.path)
            return
        } catch {
            throw AdminError.cannotListen(
                .unix(path: self.path), reason: "cannot find out whether it is in use: \(error)")
        }
        // The result is known already; an error when closing the probe does not matter.
        try? await connection.close()
        throw AdminError.addressInUse(.unix(path: self.path))
    }

    /// Publishes the socket bound at `bindPath` at its path, for this user only.
    ///
    /// - Throws: `AdminError` if a file has appeared at the path meanwhile.
    func publish() throws {
        guard unsafe chmod(self.bindPath, Self.permissions) == 0, let identity = FileIdentity(of: self.bindPath) else {
            throw AdminError.cannotListen(.unix(path: self.path), reason: unsafe String(cString: strerror(errno)))
        }
        // Unlike rename, link does not replace an existing file.
        guard unsafe link(self.bindPath, self.path) == 0 else {
            if errno == EEXIST { throw AdminError.addressInUse(.unix(path: self.path)) }
            throw AdminError.cannotListen(.unix(path: self.path), reason: unsafe String(cString: strerror(errno)))
        }
        self.published.withLock { $0 = identity }
        unsafe unlink(self.bindPath)
        unsafe rmdir(self.directory)
    }

    /// Removes the published socket, unless another file has replaced it.
    func remove() {
        guard let published = self.published.withLock({ $0 }) else { return }
        guard FileIdentity(of: self.path) == published else { return }
        unsafe unlink(self.path)
    }
}
