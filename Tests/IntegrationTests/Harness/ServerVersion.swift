import Foundation

/// The product and version of the `redis-server` in PATH, which the tests start.
struct ServerVersion: Sendable {
    /// The product: `Redis` or `Valkey`.
    let product: String
    /// The first two numbers of its version.
    let numbers: (major: Int, minor: Int)

    /// The server in PATH. Without one, every test that starts a server fails by itself.
    static let underTest = ServerVersion(output: Self.output("--version") ?? "")
    /// Whether the server in PATH was built with TLS: one that was not does not know the setting.
    static let hasTLS = Self.output("--port", "0", "--tls-port", "none")?.contains("Bad directive") == false

    /// Reads the output of `redis-server --version`: `Redis server v=7.0.15 sha=...`.
    private init(output: String) {
        let words = output.split(separator: " ")
        let version =
            words.first { $0.hasPrefix("v=") }?.dropFirst(2).split(separator: ".").compactMap { Int($0) } ?? []
        self.product = words.first.map(String.init) ?? "Redis"
        self.numbers = (version.first ?? 0, version.count > 1 ? version[1] : 0)
    }

    /// The output of `redis-server` with arguments that do not start one.
    private static func output(_ arguments: String...) -> String? {
        let (folder, log) = (FileManager.default.temporaryDirectory, "version-\(UUID().uuidString)")
        let file = folder.appendingPathComponent(log)
        defer { try? FileManager.default.removeItem(at: file) }
        guard let child = try? Child(["redis-server"] + arguments, in: folder, log: log) else { return nil }
        _ = child.wait()
        return try? String(contentsOf: file, encoding: .utf8)
    }

    /// Whether the server can say what a user may do (`ACL DRYRUN`).
    var hasDryRuns: Bool { self.isRedis(7, 0) }

    /// Whether the server is at least this version of Redis. Every Valkey has the commands of Redis 7.2.
    func isRedis(_ major: Int, _ minor: Int) -> Bool {
        (self.product == "Valkey" ? (7, 2) : self.numbers) >= (major, minor)
    }

    /// Whether a cluster can have databases other than 0 (`cluster-databases`).
    var hasClusterDatabases: Bool { self.product == "Valkey" && self.numbers.major >= 9 }
}
