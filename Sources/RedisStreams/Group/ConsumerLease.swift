import StageKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What a worker is called in its group, kept from other workers of this machine for as long as it runs.
///
/// Two workers under one name would each take what the other has in hand for its own backlog. So a name goes with a
/// socket of that name, which listens to nobody and ends with the process, however that ends: a worker that is started
/// again finds its name free and its backlog under it. The socket has no file (Linux's abstract names), so neither users,
/// folders nor containers on the host's network matter. Machines of one name do not see each other's: they need
/// `consumer` in the file, as do workers on other systems than Linux.
final class ConsumerLease: Sendable {
    /// Names that are tried: more workers of one group on one machine need names of their own.
    static let slotLimit = 256

    /// The name.
    let consumer: String
    /// The socket, -1 where there is none.
    private let descriptor: Int32

    private init(_ consumer: String, _ descriptor: Int32) {
        self.consumer = consumer
        self.descriptor = descriptor
    }

    deinit {
        if self.descriptor >= 0 { close(self.descriptor) }
    }

    /// Takes the name in the settings, or the first of `HOST-1`, `HOST-2` and so on that is free.
    ///
    /// `scope` tells streams of a server apart: database and key. Numbers are given out whatever the server, for one can
    /// have many addresses; a name that is given is refused to a second worker of the same address only. Throws
    /// `badSettings` where another process has the name.
    static func take(
        _ settings: GroupSettings, scope: String, address: RedisAddress
    ) throws(RedisError) -> ConsumerLease {
        let scope = "\(scope) \(settings.name)"
        if let name = settings.consumer {
            switch self.bind("\(scope) \(name) \(address)") {
            case .taken:
                throw RedisError(
                    .badSettings,
                    "another worker of this machine reads the group \(settings.name) as \"\(name)\": give each its own "
                        + "group.consumer, or leave it out", isTransient: false)
            case .bound(let descriptor): return ConsumerLease(name, descriptor)
            case .unavailable: return ConsumerLease(name, -1)
            }
        }
        let host = self.hostName
        for slot in 1...self.slotLimit {
            let name = "\(host)-\(slot)"
            switch self.bind("\(scope) \(name)") {
            case .taken: continue
            case .bound(let descriptor): return ConsumerLease(name, descriptor)
            case .unavailable: return ConsumerLease(name, -1)
            }
        }
        throw RedisError(
            .badSettings,
            "\(self.slotLimit) workers of this machine read the group \(settings.name) already: give further ones a "
                + "group.consumer", isTransient: false)
    }

    private enum Binding {
        case bound(Int32)
        case taken
        case unavailable
    }

    /// Binds a socket to an abstract name made of a text.
    private static func bind(_ text: String) -> Binding {
        #if os(Linux)
            #if canImport(Glibc)
                let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
            #else
                let kind = SOCK_STREAM | SOCK_CLOEXEC
            #endif
            let descriptor = socket(AF_UNIX, kind, 0)
            guard descriptor >= 0 else { return .unavailable }
            // The first byte of an abstract name is 0; the rest is far below the 107 bytes there are.
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

    /// This process among those of all machines: the machine's name and the process id.
    static var process: String { "\(self.hostName):\(getpid())" }

    /// The machine's name, `host` where it has none.
    static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "host" }
        let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return bytes.isEmpty ? "host" : String(decoding: bytes, as: UTF8.self)
    }

    /// Sixteen hexadecimal digits of a text, the same in each process (FNV-1a).
    static func digest(_ text: String) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
