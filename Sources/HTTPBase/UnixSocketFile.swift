import LocalFiles
public import NIOCore
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
public final class UnixSocketFile: Sendable {
    /// The absolute path.
    private let path: String
    /// Who may connect.
    private let access: SocketAccess
    /// The directory that the socket is bound in.
    private let directory: String
    /// The published socket, or `nil` until then.
    private let published = Mutex<FileIdentity?>(nil)

    /// The path to bind to.
    public var bindPath: String { "\(self.directory)/s" }

    /// Creates the directory for a socket at an absolute path.
    ///
    /// - Parameters:
    ///   - path: The absolute path.
    ///   - access: The socket's permissions and group.
    /// - Throws: `ListenError` if the directory of the path cannot be written, or if its name is too long.
    public init(path: String, access: SocketAccess = SocketAccess()) throws {
        self.path = path
        self.access = access
        let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "/"
        var template = Array("\(parent).XXXXXX".utf8CString)
        guard template.count + 1 <= ListenAddress.pathLimit else {
            let limit = ListenAddress.pathLimit - 9
            throw ListenError.cannotListen(
                .unix(path: path), reason: "the path of its directory has more than \(limit) bytes")
        }
        let isMade = unsafe template.withUnsafeMutableBufferPointer { unsafe mkdtemp($0.baseAddress!) } != nil
        guard isMade else {
            throw ListenError.cannotListen(.unix(path: path), reason: unsafe String(cString: strerror(errno)))
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
    /// - Throws: `ListenError` if another process listens on the socket, or if the path is not a socket.
    public func clear(on loop: any EventLoop) async throws {
        guard let status = FileStatus(of: self.path) else { return }
        guard status.kind == .socket else {
            throw ListenError.notASocket(path: self.path)
        }
        let connection: any Channel
        do {
            connection = try await ClientBootstrap(group: loop).connect(unixDomainSocketPath: self.path).get()
        } catch let error as IOError where error.errnoCode == ECONNREFUSED {
            try FileManager.default.removeItem(atPath: self.path)
            return
        } catch {
            throw ListenError.cannotListen(
                .unix(path: self.path), reason: "cannot find out whether it is in use: \(error)")
        }
        // The result is known already; an error when closing the probe does not matter.
        try? await connection.close()
        throw ListenError.addressInUse(.unix(path: self.path))
    }

    /// Publishes the socket bound at `bindPath` at its path, with its permissions and its group.
    ///
    /// - Throws: `ListenError` if a file has appeared at the path meanwhile, or if the group is unknown or this user may
    ///   not use it.
    public func publish() throws {
        if let group = self.access.group { try self.setGroup(group) }
        guard unsafe chmod(self.bindPath, mode_t(self.access.mode)) == 0, let identity = FileIdentity(of: self.bindPath)
        else {
            throw ListenError.cannotListen(.unix(path: self.path), reason: unsafe String(cString: strerror(errno)))
        }
        // Unlike rename, link does not replace an existing file.
        guard unsafe link(self.bindPath, self.path) == 0 else {
            if errno == EEXIST { throw ListenError.addressInUse(.unix(path: self.path)) }
            throw ListenError.cannotListen(.unix(path: self.path), reason: unsafe String(cString: strerror(errno)))
        }
        self.published.withLock { $0 = identity }
        unsafe unlink(self.bindPath)
        unsafe rmdir(self.directory)
    }

    private func setGroup(_ name: String) throws {
        guard let number = GroupName.number(of: name) else {
            throw ListenError.cannotListen(.unix(path: self.path), reason: "this machine has no group \"\(name)\"")
        }
        // (uid_t) -1 leaves the owner unchanged.
        guard unsafe chown(self.bindPath, uid_t.max, number) == 0 else {
            let reason = unsafe String(cString: strerror(errno))
            throw ListenError.cannotListen(
                .unix(path: self.path), reason: "group \(name): \(reason): the worker's user must be its member")
        }
    }

    /// Removes the published socket, unless another file has replaced it.
    public func remove() {
        guard let published = self.published.withLock({ $0 }) else { return }
        guard FileIdentity(of: self.path) == published else { return }
        unsafe unlink(self.path)
    }
}
