import Foundation
import Logging
import RESP
import RedisClient
import Synchronization

/// A private `redis-server` in a folder of its own, gone when its scope ends.
final class RedisServer: Sendable {
    /// What a server is started with.
    struct Options: Sendable {
        /// A loopback port instead of a Unix socket.
        var usesTCP = false
        /// Speaks TLS only, with these certificates.
        var tls: TestCertificates?
        /// Which of the certificates the server shows.
        var certificate = "server"
        /// Whether the server wants a client certificate.
        var wantsClientCertificate = false
        /// Further arguments.
        var arguments: [String] = []
        /// Lines of an ACL file.
        var users: [String] = []
    }

    /// Why no server could be had.
    struct StartFailure: Error, CustomStringConvertible {
        let description: String
    }

    /// The folder: its socket, its log, files of a test.
    let folder: URL
    /// How it was started.
    let options: Options
    /// Where it listens.
    let address: RedisAddress
    private let process: ChildBox

    /// Starts a server; throws where it does not answer.
    init(_ options: Options, folder: URL, address: RedisAddress) async throws {
        self.options = options
        self.folder = folder
        self.address = address
        self.process = ChildBox()
        try await self.start()
    }

    deinit {
        self.process.kill()
    }

    /// The settings to reach it.
    var settings: RedisSettings {
        var settings = RedisSettings(address: self.address)
        // Generous: the machine may be busy, and no test waits for these to pass.
        settings.timeout = .seconds(20)
        settings.connectTimeout = .seconds(20)
        if let tls = self.options.tls {
            var tlsSettings = TLSSettings()
            tlsSettings.caFile = tls.path("ca.crt")
            settings.tls = tlsSettings
        }
        return settings
    }

    /// Starts the process, again after `kill`, and waits until it answers.
    func start() async throws {
        // The shell ends the server when a line comes, or when the pipe ends with this process, however that ends.
        // The pipe is kept as 3, for a shell gives what it starts in the background an empty standard input.
        let script = "exec 3<&0; redis-server \"$@\" 3<&- & server=$!; read line <&3; kill -9 $server; wait $server"
        let child = try Child(["/bin/sh", "-c", script, "sh"] + self.arguments, in: self.folder, log: "server.log")
        self.process.set(child)
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline, !self.process.hasEnded {
            if self.isListening() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        self.process.kill()
        throw StartFailure(description: "redis-server does not answer:\n\(self.log)")
    }

    private var log: String {
        (try? String(contentsOf: self.folder.appendingPathComponent("server.log"), encoding: .utf8)) ?? ""
    }

    /// Ends the process at once, as a crash would.
    func kill() {
        self.process.kill()
    }

    private var arguments: [String] {
        var arguments = ["--save", "", "--appendonly", "no", "--loglevel", "notice"]
        switch self.address {
        case .unix(let path): arguments += ["--port", "0", "--unixsocket", path]
        case .tcp(_, let port):
            arguments += ["--bind", "127.0.0.1"]
            if let tls = self.options.tls {
                arguments += [
                    "--port", "0", "--tls-port", "\(port)", "--tls-ca-cert-file", tls.path("ca.crt"),
                    "--tls-cert-file", tls.path("\(self.options.certificate).crt"),
                    "--tls-key-file", tls.path("\(self.options.certificate).key"),
                    "--tls-auth-clients", self.options.wantsClientCertificate ? "yes" : "no",
                ]
            } else {
                arguments += ["--port", "\(port)"]
            }
        }
        if !self.options.users.isEmpty {
            let file = self.folder.appendingPathComponent("users.acl")
            try? (self.options.users.joined(separator: "\n") + "\n").write(to: file, atomically: true, encoding: .utf8)
            arguments += ["--aclfile", file.path]
        }
        return arguments + self.options.arguments
    }

    private func isListening() -> Bool {
        let text = self.log
        let starts = text.components(separatedBy: "Server initialized").count
        let ready = text.components(separatedBy: "eady to accept connections").count
        return ready > 1 && ready >= starts && self.connects()
    }

    /// Whether the server takes a connection.
    private func connects() -> Bool {
        RawSocket.connects(to: self.address)
    }
}

/// Holds the process that a server runs in.
final class ChildBox: Sendable {
    private let child = Mutex<Child?>(nil)

    func set(_ child: Child) {
        self.child.withLock { $0 = child }
    }

    /// Whether the process has ended by itself, or there is none.
    var hasEnded: Bool {
        self.child.withLock { child in
            if child?.endedStatus() != nil { child = nil }
            return child == nil
        }
    }

    /// Ends the process by force and waits for its end, so that its socket and port are free.
    func kill() {
        self.child.withLock { $0.take() }?.end()
    }
}

/// Lends a server for the length of `body` and ends it in any case.
func withRedisServer<R>(
    _ options: RedisServer.Options = RedisServer.Options(), _ body: (RedisServer) async throws -> R
) async throws -> R {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let server = try await startRedisServer(options, folder: folder)
    defer { server.kill() }
    return try await body(server)
}

/// Starts a server in a folder; one whose port another program has taken meanwhile gets another port.
private func startRedisServer(_ options: RedisServer.Options, folder: URL) async throws -> RedisServer {
    guard options.usesTCP || options.tls != nil else {
        return try await RedisServer(options, folder: folder, address: .unix(path: folder.path + "/s"))
    }
    var attempt = 1
    while true {
        do {
            let address = RedisAddress.tcp(host: "127.0.0.1", port: try RawSocket.freePort())
            return try await RedisServer(options, folder: folder, address: address)
        } catch let failure as RedisServer.StartFailure where failure.description.contains("in use") && attempt < 10 {
            attempt += 1
            try FileManager.default.removeItem(at: folder.appendingPathComponent("server.log"))
        }
    }
}
