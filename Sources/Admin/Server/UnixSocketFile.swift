import NIOCore
import NIOPosix

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

/// The file of the Unix socket that the server listens on; NIO removes it when it closes the socket.
struct UnixSocketFile {
    /// Only the worker's own user may connect.
    static let permissions = 0o600

    /// Its absolute path.
    let path: String

    /// Removes a socket on which nobody listens any more, left over from a worker that was killed.
    ///
    /// Throws where somebody listens, or where the path is taken by anything but a socket.
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
            throw AdminError.cannotListen(.unix(path: self.path), reason: "whether it is in use is not known: \(error)")
        }
        // The answer is known; whether closing the probe succeeds changes nothing.
        try? await connection.close()
        throw AdminError.addressInUse(.unix(path: self.path))
    }

    /// Keeps other users out.
    func protect() throws {
        try FileManager.default.setAttributes([.posixPermissions: UnixSocketFile.permissions], ofItemAtPath: self.path)
    }
}
