import NIOCore

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The reason why the admin server cannot run.
public enum AdminError: Error, Equatable, CustomStringConvertible {
    /// Another process already listens on the address.
    case addressInUse(AdminAddress)
    /// The path exists and is not a socket.
    case notASocket(path: String)
    /// Listening failed; `reason` is the system's message.
    case cannotListen(AdminAddress, reason: String)

    /// The problem and its remedy.
    public var description: String {
        switch self {
        case .addressInUse(let address):
            "admin: \(address) is in use: another process, perhaps another worker, listens there;"
                + " stop it, or set admin.listen to another address or to off"
        case .notASocket(let path):
            "admin: \(path) exists and is not a socket; remove it, or set admin.listen to another path"
        case .cannotListen(let address, let reason):
            "admin: cannot listen on \(address): \(reason); set admin.listen to an address that this user may use, or to off"
        }
    }
}

extension AdminError {
    /// Explains a failure to listen; returns other errors, and errors already explained, unchanged.
    static func explain(_ error: any Error, at address: AdminAddress) -> any Error {
        guard let error = error as? IOError else { return error }
        if error.errnoCode == EADDRINUSE { return AdminError.addressInUse(address) }
        return AdminError.cannotListen(address, reason: "\(error)")
    }
}
