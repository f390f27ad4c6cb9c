import Foundation
import Glibc

/// A redis-server of the bench's own: on a Unix socket or a loopback port, without persistence, gone with its scope.
struct BenchServer {
    /// How long it may take until it answers: it takes milliseconds.
    private static let startLimit = 10.0
    /// How long a reader may take until it waits for entries.
    private static let blockLimit = 20.0
    /// Between two looks.
    private static let nap: UInt32 = 5_000

    /// Where it listens: `unix:/path` or `127.0.0.1:port`.
    let address: String
    private let process: ChildProcess
    private let client: [String]

    /// Runs `body` with a server, which is stopped however `body` ends.
    static func withServer<R>(overTCP: Bool, _ body: (BenchServer) throws -> R) throws -> R {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-bench-\(getpid())")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try BenchServer(folder: folder.path, overTCP: overTCP)
        defer {
            server.process.kill()
            _ = try? server.process.wait()
        }
        try server.waitUntilAnswering()
        return try body(server)
    }

    private init(folder: String, overTCP: Bool) throws {
        guard let program = ChildProcess.find("redis-server"), let client = ChildProcess.find("redis-cli") else {
            throw ToolFailure(description: "redis-server and redis-cli are not in the PATH")
        }
        let socket = "\(folder)/redis.sock"
        let port = overTCP ? try Self.freePort() : 0
        self.address = overTCP ? "127.0.0.1:\(port)" : "unix:\(socket)"
        self.client = [client] + (overTCP ? ["-p", "\(port)"] : ["-s", socket])
        self.process = try ChildProcess(
            program,
            [
                "--port", "\(port)", "--bind", "127.0.0.1", "--unixsocket", socket, "--dir", folder, "--save", "",
                "--appendonly", "no", "--daemonize", "no", "--logfile", "\(folder)/redis.log",
            ], isQuiet: true)
    }

    /// Seconds of CPU that the server has used.
    var cpu: Double { Clocks.processCPU(self.process.identifier) ?? 0 }

    /// Asks the server by redis-cli.
    func ask(_ command: String...) throws -> String {
        let data = try ChildProcess.run(self.client[0], Array(self.client.dropFirst()) + command, isQuiet: true)
        return String(decoding: data, as: UTF8.self)
    }

    /// Waits until a client waits for entries.
    func waitForBlockedClient() throws {
        try self.wait(limit: Self.blockLimit, for: "a reader that waits for entries") {
            try self.ask("INFO", "clients").contains("blocked_clients:1")
        }
    }

    private func waitUntilAnswering() throws {
        try self.wait(limit: Self.startLimit, for: "redis-server to answer") {
            guard self.process.isRunning else { throw ToolFailure(description: "redis-server ended at once") }
            return (try? self.ask("PING").contains("PONG")) ?? false
        }
    }

    private func wait(limit: Double, for what: String, _ condition: () throws -> Bool) throws {
        let deadline = Clocks.monotonic + UInt64(limit * 1e9)
        while try !condition() {
            guard Clocks.monotonic < deadline else {
                throw ToolFailure(description: "waited \(limit) s in vain for \(what)")
            }
            usleep(Self.nap)
        }
    }

    /// A loopback port that is free now.
    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard isBound else { throw ToolFailure(description: "no free loopback port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
