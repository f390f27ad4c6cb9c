import Foundation
import Hummingbird
import NIOCore
import StageKit
import Testing

/// The application behind a gateway: answers every request with the user that the gateway names.
final class ApplicationServer: Sendable {
    private let count = OrderedMutex(0)

    /// The number of requests that came through.
    var requests: Int { self.count.withLock { $0 } }

    private init() {}

    /// Runs a server and calls `body` with its port.
    static func with<R>(_ body: (ApplicationServer, Int) async throws -> R) async throws -> R {
        let server = ApplicationServer()
        let router = Router()
        router.get("**") { request, _ -> String in
            server.count.withLock { $0 += 1 }
            // Applications that read headers as CGI does take an underscore for a hyphen.
            let users = request.headers.filter { $0.name.canonicalName.replacing("_", with: "-") == "x-user-id" }
                .map(\.value)
            return "user=\(users.joined(separator: "|"))\n"
        }
        return try await withHTTPServer(router) { port in try await body(server, port) }
    }
}

/// A gateway that runs with the configuration that the guide shows.
enum GatewayProgram: String, CaseIterable {
    case nginx
    case caddy
    case haproxy
    case envoyHTTP = "envoy-http"
    case envoyGRPC = "envoy-grpc"

    /// The ports of a gateway, of the doors and of the application.
    struct Ports {
        /// The gateway's own.
        var gateway = 0
        /// The HTTP door of the worker.
        var http: Int
        /// The gRPC door of the worker.
        var grpc: Int
        /// The application.
        var application: Int

        /// Replaces the ports of the guide.
        func replace(in text: String) -> String {
            var text = text
            for (port, own) in [(9192, self.http), (9193, self.grpc), (8080, self.gateway), (8000, self.application)] {
                for start in [":", "port_value: "] { text = text.replacing("\(start)\(port)", with: "\(start)\(own)") }
            }
            return text
        }
    }

    /// Where `.ci/envoy` puts Envoy, which Debian does not have.
    private static let tools = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(".build/tools").path

    /// The path of the program, or `nil` if it is not installed.
    var path: String? {
        let name =
            switch self {
            case .envoyHTTP, .envoyGRPC: "envoy"
            case .nginx, .caddy, .haproxy: self.rawValue
            }
        return ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", Self.tools].map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Whether the program is installed.
    var isInstalled: Bool { self.path != nil }

    /// The heading of the program's column in the guide.
    var title: String {
        switch self {
        case .nginx: "nginx"
        case .caddy: "Caddy"
        case .haproxy: "HAProxy"
        case .envoyHTTP: "Envoy, HTTP"
        case .envoyGRPC: "Envoy, gRPC"
        }
    }

    /// A file of the guide.
    static func fixture(_ name: String) throws -> String {
        let folder = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
        return try String(contentsOf: folder.appendingPathComponent("gateways/\(name)"), encoding: .utf8)
    }

    /// The section `gateway` that the guide shows, listening on another port.
    static func section(door: Int) throws -> String {
        try self.fixture("pipeline.yaml").replacingOccurrences(of: ":9192", with: ":\(door)")
    }

    /// The sections `http` and `grpc` that the guide shows, together, listening on other ports.
    static func sections(_ ports: Ports) throws -> String {
        let grpc = try self.fixture("pipeline-grpc.yaml")
        let start = try #require(grpc.range(of: "  grpc:\n")).lowerBound
        return ports.replace(in: try self.fixture("pipeline.yaml") + grpc[start...])
    }

    /// Starts the program in a folder with ports of its own.
    ///
    /// - Parameter change: Changes the program's configuration.
    func start(in folder: URL, _ ports: Ports, change: (String) -> String = { $0 }) throws -> Child {
        let path = try #require(self.path)
        func text(_ name: String) throws -> String {
            try change(ports.replace(in: Self.fixture(name)).replacing("/etc/haproxy", with: folder.path))
        }
        func write(_ text: String, _ name: String) throws {
            try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        }
        let command: [String]
        switch self {
        case .nginx:
            let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
                "\($0)_temp_path \(folder.path)/\($0);"
            }
            let own = ["daemon off; worker_processes 1; pid \(folder.path)/pid; error_log stderr; events {}"]
            let http = try ["http {", "access_log off;"] + places + [text("nginx.conf"), "}"]
            try write((own + http).joined(separator: "\n"), "nginx.conf")
            command = [path, "-p", folder.path, "-c", "\(folder.path)/nginx.conf"]
        case .caddy:
            try write("{\n    admin off\n}\n" + text("Caddyfile"), "Caddyfile")
            command = [
                "env", "HOME=\(folder.path)", path, "run", "--adapter", "caddyfile", "--config",
                "\(folder.path)/Caddyfile",
            ]
        case .haproxy:
            try write(try text("sluice.lua"), "sluice.lua")
            try write(try text("haproxy.cfg"), "haproxy.cfg")
            command = [path, "-db", "-f", "\(folder.path)/haproxy.cfg"]
        case .envoyHTTP, .envoyGRPC:
            try write(try text("\(self.rawValue).yaml"), "envoy.yaml")
            // Without a hot restart, no two processes share memory under one name.
            command = [
                path, "-c", "\(folder.path)/envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "--log-level",
                "warning",
            ]
        }
        let script = "exec 3<&0; \"$@\" 3<&- & server=$!; read line <&3; kill $server; wait $server"
        return try Child(["/bin/sh", "-c", script, "sh"] + command, in: folder, log: "gateway.log")
    }
}

/// The response to a request of raw bytes.
struct RawAnswer {
    /// The status, 0 if there was no response.
    var status: Int
    /// Everything that came back.
    var text: String

    /// Sends a request to a loopback port and reads until the other side closes, at most for a minute.
    static func to(_ port: Int, _ headers: [[UInt8]], target: String = "/") async -> RawAnswer {
        var bytes = Array("GET \(target) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n".utf8)
        for header in headers { bytes += header + [0x0D, 0x0A] }
        bytes += [0x0D, 0x0A]
        let text = String(decoding: await RawSocket.exchange(port, bytes), as: UTF8.self)
        let status = text.hasPrefix("HTTP/1.") ? Int(text.dropFirst(9).prefix(3)) : nil
        return RawAnswer(status: status ?? 0, text: text)
    }
}

extension RawSocket {
    /// Sends bytes to a loopback port and returns what comes back until the other side closes.
    ///
    /// On a thread of its own. All tests share a thread per core; waiting on one of these for a gateway's time limit
    /// would stop the other tests, and the application that the gateway asks.
    static func exchange(_ port: Int, _ bytes: [UInt8]) async -> [UInt8] {
        await withCheckedContinuation { continuation in
            Thread { continuation.resume(returning: self.blockingExchange(port, bytes)) }.start()
        }
    }

    private static func blockingExchange(_ port: Int, _ bytes: [UInt8]) -> [UInt8] {
        guard let descriptor = try? self.connection(to: port) else { return [] }
        defer { close(descriptor) }
        self.limitReads(of: descriptor, seconds: 60)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            sent += count
        }
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(descriptor, &piece, piece.count, 0)
            guard count > 0 else { return answer }
            answer += piece[..<count]
        }
    }
}
