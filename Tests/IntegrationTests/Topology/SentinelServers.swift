import Foundation
import RESP
import StageKit
import Testing

@testable import RedisClient

/// A master with a replica and three sentinels that watch them.
final class SentinelServers: Sendable {
    /// What the sentinels call the master.
    static let master = "main"
    /// How long the master may be silent before it is replaced, in milliseconds: longer than a busy machine keeps it from
    /// running.
    private static let downAfter = 2000

    let master: RedisServer
    let replica: RedisServer
    private let sentinels: [(address: RedisAddress, child: ChildBox)]

    /// Lends servers that have found each other.
    static func with<R>(masterArguments: [String] = [], _ body: (SentinelServers) async throws -> R) async throws -> R {
        try await withFolder { folder in
            let servers = try await SentinelServers(folder, masterArguments)
            defer { servers.kill() }
            try await servers.meet()
            return try await body(servers)
        }
    }

    private init(_ folder: URL, _ masterArguments: [String]) async throws {
        func server(_ name: String, _ arguments: [String]) async throws -> RedisServer {
            let own = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
            let address = RedisAddress.tcp(host: "127.0.0.1", port: try RawSocket.freePort())
            let options = RedisServer.Options(
                usesTCP: true, arguments: ["--repl-diskless-sync-delay", "0"] + arguments)
            return try await RedisServer(options, folder: own, address: address)
        }
        let master = try await server("master", masterArguments)
        self.master = master
        self.replica = try await server("replica", ["--replicaof", "127.0.0.1", "\(master.port)"])
        self.sentinels = try (0..<3).map { index in
            let own = folder.appendingPathComponent("sentinel\(index)")
            try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
            let port = try RawSocket.freePort()
            let text = """
                bind 127.0.0.1
                port \(port)
                sentinel monitor \(Self.master) 127.0.0.1 \(master.port) 2
                sentinel down-after-milliseconds \(Self.master) \(Self.downAfter)
                sentinel failover-timeout \(Self.master) 3000
                """
            try Data((text + "\n").utf8).write(to: own.appendingPathComponent("sentinel.conf"))
            let script =
                "exec 3<&0; redis-server sentinel.conf --sentinel 3<&- & server=$!; read line <&3; kill -9 $server; "
                + "wait $server"
            let child = ChildBox()
            child.set(try Child(["/bin/sh", "-c", script], in: own, log: "sentinel.log"))
            return (.tcp(host: "127.0.0.1", port: port), child)
        }
    }

    /// How to reach the master through the sentinels.
    var settings: RedisSettings {
        var settings = self.master.settings
        var sentinel = SentinelSettings()
        sentinel.master = Self.master
        sentinel.addresses = self.addresses
        sentinel.checkInterval = .milliseconds(100)
        settings.sentinel = sentinel
        // Generous: the machine may be busy, and a server that is killed ends its connections.
        settings.timeout = .seconds(20)
        settings.connectTimeout = .seconds(20)
        return settings
    }

    /// The section `redis` of a file.
    var section: String {
        let list = self.addresses.map(\.description).joined(separator: ", ")
        return "{ sentinel: { master: \(Self.master), addresses: [\(list)], check_interval: 100ms }, timeout: 1s, "
            + "connect_timeout: 1s }"
    }

    var addresses: [RedisAddress] { self.sentinels.map(\.address) }

    /// Asks a sentinel.
    func ask(_ command: RESPCommand, sentinel: Int = 0) async throws -> RESPValue {
        var settings = self.master.settings
        settings.address = self.sentinels[sentinel].address
        return try await withConnection(settings) { try await $0.command(command) }
    }

    private func meet() async throws {
        for index in self.sentinels.indices {
            try await eventually("sentinel \(index) knows the others") {
                guard let answer = try? await self.ask(RESPCommand("INFO", "sentinel"), sentinel: index) else {
                    return false
                }
                return answer.string?.contains("slaves=1,sentinels=3") == true
            }
        }
        try await withConnection(self.master.settings) { connection in
            try await eventually("the replica follows") {
                try await connection.command(RESPCommand("INFO", "replication")).string?.contains("state=online")
                    == true
            }
        }
    }

    private func kill() {
        for sentinel in self.sentinels { sentinel.child.kill() }
        self.master.kill()
        self.replica.kill()
    }
}

extension RedisServer {
    /// Its port.
    var port: Int { if case .tcp(_, let port) = self.address { port } else { 0 } }
}
