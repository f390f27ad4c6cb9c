import NIOCore

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The reason why a server cannot listen.
public enum ListenError: Error, Equatable, CustomStringConvertible {
    /// Another process already listens on the address.
    case addressInUse(ListenAddress)
    /// The path exists and is not a socket.
    case notASocket(path: String)
    /// Listening failed; `reason` is the system's message.
    case cannotListen(ListenAddress, reason: String)

    /// The problem and its remedy.
    public var description: String {
        switch self {
        case .addressInUse(let address):
            "\(address) is in use: another process, perhaps another worker, listens there;"
                + " stop it, or choose another address"
        case .notASocket(let path):
            "\(path) exists and is not a socket; remove it, or choose another path"
        case .cannotListen(let address, let reason):
            "cannot listen on \(address): \(reason); choose an address that this user may use"
        }
    }

    /// Explains a failure to listen; returns other errors, and errors already explained, unchanged.
    public static func explain(_ error: any Error, at address: ListenAddress) -> any Error {
        guard let error = error as? IOError else { return error }
        if error.errnoCode == EADDRINUSE { return ListenError.addressInUse(address) }
        return ListenError.cannotListen(address, reason: "\(error)")
    }
}

/// The reason why a server of a section of the file cannot run.
public struct ServerFailure: Error, Equatable, CustomStringConvertible {
    /// The setting with the address, such as `admin.listen`.
    public let setting: String
    /// The problem.
    public let reason: ListenError

    /// Creates a failure.
    public init(_ setting: String, _ reason: ListenError) {
        self.setting = setting
        self.reason = reason
    }

    /// The setting, the problem and its remedy.
    public var description: String { "\(self.setting): \(self.reason)" }
}
