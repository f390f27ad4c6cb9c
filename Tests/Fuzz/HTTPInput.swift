import Admin
import Glibc
import HTTPBase
import Logging
import SnapshotStores
import Synchronization

/// Requests to the admin server, over a Unix socket.
struct HTTPInput: FuzzedInput {
    static let name = "HTTP"
    static let seeds = [
        "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET /v1/stores/s/a HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/export/s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST /metrics HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", "HEAD /v1/pipeline HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /%00%ff/../v1/stores/%73/%61?x=%zz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n",
    ].map { Array($0.utf8) }
    private static let meaningful = Array("\r\n:/ %?&#0123456789\0\u{ff}".utf8)
    /// The longest wait for an answer: a server that hangs is an error.
    private static let patience = timeval(tv_sec: 9, tv_usec: 0)

    private let path: String
    private var number = 0

    /// Why the server is not as it should be.
    struct Failure: Error { let what: String }

    init() throws {
        self.path = "/tmp/sluice-fuzz-\(getpid())"
        let context = AdminContext(
            stores: ["s": MemoryStore(name: "s", keyField: "id")], metrics: MetricsRegistry(), readiness: { [] },
            liveness: { [] })
        let settings = AdminSettings(listen: .unix(path: self.path))
        let server = AdminServer(
            settings: settings, context: context, logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })
        // The one unstructured task: it serves until the process ends.
        Task.detached { try await server.run() }
        for _ in 0..<500 {
            if let descriptor = self.connect() {
                close(descriptor)
                return
            }
            usleep(10_000)
        }
        throw Failure(what: "the server does not listen")
    }

    func make(_ random: inout Mutator) -> [UInt8] {
        random.mutate(Self.seeds, Self.meaningful, joined: 2, changes: 8)
    }

    mutating func read(_ bytes: [UInt8]) throws -> Bool {
        self.number += 1
        let answer = try self.exchange(bytes)
        if self.number % 500 == 0 {
            let alive = try self.exchange(Self.seeds[0])
            guard alive.starts(with: Array("HTTP/1.1 200".utf8)) else { throw Failure(what: "not alive any more") }
        }
        return answer.starts(with: Array("HTTP/1.1 200".utf8))
    }

    /// Sends bytes, closes its half, and reads until the server closes.
    private func exchange(_ bytes: [UInt8]) throws -> [UInt8] {
        guard let descriptor = self.connect() else { throw Failure(what: "connections are refused") }
        defer { close(descriptor) }
        _ = unsafe send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        shutdown(descriptor, Int32(SHUT_WR))
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EAGAIN { throw Failure(what: "no answer and no end to \(bytes)") }
            if count <= 0 { return answer }
            answer += buffer[..<count]
        }
    }

    private func connect() -> Int32? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var patience = Self.patience
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(self.path.utf8)) }
        let isConnected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        if isConnected { return descriptor }
        close(descriptor)
        return nil
    }
}
