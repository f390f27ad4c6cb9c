import RedisClient
import StageKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A worker's consumer name in its group, reserved among the workers of this machine while it runs.
///
/// Two workers with one name would each treat the other's in-flight entries as its own backlog. A name is therefore
/// reserved by a socket of that name, which accepts no connections and disappears with the process, however the process
/// ends: a restarted worker finds its name free and its backlog under that name. The socket has no file (Linux's
/// abstract names), so users, directories and containers on the host's network make no difference. Machines with the
/// same host name do not see each other's sockets: they need `consumer` in the file, as do workers on systems other
/// than Linux.
///
/// Every local user can bind such a name, so a taken name proves nothing and never keeps a worker from running: the
/// worker takes the next name. Entries pending under the name it did not get are claimed after `claim_after`, like
/// those of any consumer.
final class ConsumerLease: Sendable {
    /// Maximum number of names to try; if one machine runs more workers of a group, they need names of their own.
    static let slotLimit = 256

    /// The consumer name.
    let consumer: String
    /// Whether the name differs from the one that the worker should have had.
    private let isOther: Bool
    /// The socket, or -1 if there is none.
    private let descriptor: Int32

    private init(_ consumer: String, _ descriptor: Int32, isOther: Bool = false) {
        self.consumer = consumer
        self.descriptor = descriptor
        self.isOther = isOther
    }

    deinit {
        if self.descriptor >= 0 { close(self.descriptor) }
    }

    /// Reserves the configured name, or `HOST-1`; if another process has it, the first free name of `NAME-2`, `NAME-3`
    /// and so on, or a name with a random number if none of them is free.
    ///
    /// - Parameters:
    ///   - scope: Distinguishes the streams of a server: database and key. Numbers are assigned regardless of the
    ///     server, because one server can have many addresses; a configured name counts as taken only by a worker of
    ///     the same address.
    ///   - address: The server's address.
    static func take(_ settings: GroupSettings, scope: String, address: RedisAddress) -> ConsumerLease {
        let base = settings.consumer ?? self.hostName
        let place = settings.consumer == nil ? "" : " \(address)"
        for slot in 1...self.slotLimit {
            let name = slot == 1 ? settings.consumer ?? "\(base)-1" : "\(base)-\(slot)"
            switch self.bind("\(scope) \(settings.name) \(name)\(place)") {
            case .taken: continue
            case .bound(let descriptor): return ConsumerLease(name, descriptor, isOther: slot > 1 && !place.isEmpty)
            case .unavailable: return ConsumerLease(name, -1)
            }
        }
        let number = String(UInt64.random(in: .min ... .max), radix: 16)
        return ConsumerLease("\(base)-x\(number)", -1, isOther: true)
    }

    /// Returns the warning to log if the name differs from the intended one, or `nil`.
    func warning(_ settings: GroupSettings) -> String? {
        guard self.isOther else { return nil }
        if let wanted = settings.consumer {
            return "another process on this machine uses the consumer name \"\(wanted)\": give each worker its own "
                + "group.consumer"
        }
        return
            "other processes on this machine use all \(Self.slotLimit) consumer names of the group: give each "
            + "worker its own group.consumer"
    }

    private enum Binding {
        case bound(Int32)
        case taken
        case unavailable
    }

    /// Binds a socket to an abstract name derived from a text.
    private static func bind(_ text: String) -> Binding {
        #if os(Linux)
            #if canImport(Glibc)
                let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
            #else
                let kind = SOCK_STREAM | SOCK_CLOEXEC
            #endif
            let descriptor = socket(AF_UNIX, kind, 0)
            guard descriptor >= 0 else { return .unavailable }
            // The first byte of an abstract name is 0; the rest is far below the limit of 107 bytes.
            let name = Array("sluice-group-\(self.digest(text))".utf8)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in
                for (index, byte) in name.enumerated() { unsafe path[index + 1] = byte }
            }
            let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.count)
            let result = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    #if canImport(Glibc)
                        unsafe Glibc.bind(descriptor, $0, length)
                    #else
                        unsafe Musl.bind(descriptor, $0, length)
                    #endif
                }
            }
            if result == 0 { return .bound(descriptor) }
            let isTaken = errno == EADDRINUSE
            close(descriptor)
            return isTaken ? .taken : .unavailable
        #else
            return .unavailable
        #endif
    }

    /// Identifies this process among those of all machines: the host name and the process id.
    static var process: String { "\(self.hostName):\(getpid())" }

    /// The host name, or `host` if the machine has none.
    static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "host" }
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return bytes.isEmpty ? "host" : String(decoding: bytes, as: UTF8.self)
    }

    /// Returns a hash of a text as sixteen hexadecimal digits, the same in every process (FNV-1a).
    static func digest(_ text: String) -> String {
        var hash = FNV1a()
        hash.combine(text)
        let digits = String(hash.value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
