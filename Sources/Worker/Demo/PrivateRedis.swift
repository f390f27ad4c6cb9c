import Foundation
import Glibc

/// A private redis-server: on a Unix socket in a temporary directory, without persistence, stopped when its scope ends.
struct PrivateRedis: Sendable {
    /// Maximum time until the server listens. It usually takes milliseconds, so after this time the start has failed.
    private static let startLimit: Duration = .seconds(10)

    /// The server could not be started.
    struct Failure: Error, CustomStringConvertible {
        /// The problem and its remedy.
        var description: String
    }

    /// The path of its socket.
    let socketPath: String

    /// Runs `body` with a server; stops the server and removes its directory however `body` ends.
    static func withServer(_ body: (PrivateRedis) async throws -> Void) async throws {
        guard let program = Self.find("redis-server") else {
            throw Failure(description: "redis-server is not in PATH; on Debian: apt-get install redis-server")
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(at: folder) }
        let redis = PrivateRedis(socketPath: folder.appendingPathComponent("redis.sock").path)
        let process = Process()
        process.executableURL = program
        process.arguments = [
            "--port", "0", "--unixsocket", redis.socketPath, "--dir", folder.path, "--save", "", "--appendonly", "no",
            "--daemonize", "no", "--logfile", folder.appendingPathComponent("redis.log").path,
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer { Self.stop(process) }
        try await redis.waitUntilListening(process)
        try await body(redis)
    }

    private func waitUntilListening(_ process: Process) async throws {
        let deadline = ContinuousClock.now + Self.startLimit
        while !FileManager.default.fileExists(atPath: self.socketPath) {
            guard process.isRunning, ContinuousClock.now < deadline else {
                throw Failure(description: "redis-server did not start; to see why, run: redis-server --port 0")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Sends SIGKILL: the server has nothing to save, and it may have inherited a signal mask that blocks SIGTERM.
    private static func stop(_ process: Process) {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private static func find(_ name: String) -> URL? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { URL(fileURLWithPath: "\($0)/\(name)") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }
}
