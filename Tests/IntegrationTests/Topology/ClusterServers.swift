import Foundation
import RESP
import StageKit
import Testing

@testable import RedisClient

/// A cluster of three primaries with a replica each.
final class ClusterServers: Sendable {
    /// How long a server may be silent before it is replaced, in milliseconds: longer than a busy machine keeps one from
    /// running, or servers are replaced that no test has killed.
    private static let nodeTimeout = 5000
    static let primaryCount = 3

    /// The primaries, then a replica of each.
    let nodes: [RedisServer]
    private let busPorts: [Int]

    /// Passes a complete cluster to `body`. More than one database needs `ServerVersion.hasClusterDatabases`.
    static func with<R>(databases: Int = 1, _ body: (ClusterServers) async throws -> R) async throws -> R {
        try await withFolder { folder in
            let cluster = try await ClusterServers(folder, databases: databases)
            defer { for node in cluster.nodes { node.kill() } }
            try await cluster.join()
            return try await body(cluster)
        }
    }

    private init(_ folder: URL, databases: Int) async throws {
        let choosesBusPort = ServerVersion.underTest.isRedis(7, 0)
        var nodes: [RedisServer] = []
        var busPorts: [Int] = []
        for index in 0..<(2 * Self.primaryCount) {
            let own = folder.appendingPathComponent("node\(index)")
            try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
            let port = try RawSocket.freePort()
            // Redis 6.2 always uses the port above by 10,000.
            let bus = choosesBusPort ? try RawSocket.freePort() : port + 10_000
            var arguments = [
                "--cluster-enabled", "yes", "--cluster-node-timeout", "\(Self.nodeTimeout)",
                "--repl-diskless-sync-delay", "0",
            ]
            if choosesBusPort { arguments += ["--cluster-port", "\(bus)"] }
            if databases > 1 { arguments += ["--cluster-databases", "\(databases)"] }
            let options = RedisServer.Options(usesTCP: true, arguments: arguments)
            nodes.append(
                try await RedisServer(options, folder: own, address: .tcp(host: "127.0.0.1", port: port)))
            busPorts.append(bus)
        }
        self.nodes = nodes
        self.busPorts = busPorts
    }

    /// How to reach the cluster.
    var settings: RedisSettings {
        var settings = self.nodes[0].settings
        var cluster = ClusterSettings()
        cluster.addresses = self.nodes.map(\.address)
        settings.cluster = cluster
        // Generous: the machine may be busy, and a server that is killed ends its connections.
        settings.timeout = .seconds(20)
        settings.connectTimeout = .seconds(20)
        return settings
    }

    /// The section `redis` of a file.
    var section: String { self.section(database: 0) }

    /// The section `redis` of a file, with a database.
    func section(database: Int) -> String {
        let list = self.nodes.map(\.address.description).joined(separator: ", ")
        return "{ cluster: { addresses: [\(list)] }, database: \(database), timeout: 2s, connect_timeout: 2s }"
    }

    /// Asks one of the servers.
    @discardableResult
    func ask(_ node: RedisServer, _ words: String...) async throws -> RESPValue {
        try await withConnection(node.settings) {
            try await $0.command(RESPCommand(words[0], arguments: words.dropFirst().map { Array($0.utf8) }))
        }
    }

    /// The server that has a key's slot, as the given server tells.
    func owner(of key: String, toldBy teller: RedisServer? = nil) async throws -> RedisServer? {
        let teller = teller ?? self.nodes[0]
        let map = HashSlotMap(try await self.ask(teller, "CLUSTER", "SLOTS"), toldBy: teller.address)
        let address = map?[HashSlot(of: Array(key.utf8))]
        return self.nodes.first { $0.address == address }
    }

    /// Moves a key's slot to another primary, as `redis-cli --cluster reshard` does; `pause` between the steps.
    func migrate(_ key: String, to target: RedisServer, pause: Duration) async throws {
        let source = try #require(try await self.owner(of: key))
        let slot = "\(HashSlot(of: Array(key.utf8)).number)"
        let ids = [
            try #require(try await self.ask(source, "CLUSTER", "MYID").string),
            try #require(try await self.ask(target, "CLUSTER", "MYID").string),
        ]
        try await self.ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        try await self.ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        try await Task.sleep(for: pause)
        while true {
            let keys = try await self.ask(source, "CLUSTER", "GETKEYSINSLOT", slot, "100").array?.compactMap(\.string)
            guard let keys, !keys.isEmpty else { break }
            for key in keys {
                try await self.ask(source, "MIGRATE", "127.0.0.1", "\(target.port)", key, "0", "5000")
            }
        }
        try await Task.sleep(for: pause)
        try await self.ask(target, "CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        try await self.ask(source, "CLUSTER", "SETSLOT", slot, "NODE", ids[1])
    }

    private func join() async throws {
        for (index, node) in self.nodes.enumerated() {
            try await self.ask(node, "CLUSTER", "SET-CONFIG-EPOCH", "\(index + 1)")
            guard index < Self.primaryCount else { continue }
            let first = HashSlot.count * index / Self.primaryCount
            let last = HashSlot.count * (index + 1) / Self.primaryCount - 1
            try await withConnection(node.settings) { connection in
                let slots = (first...last).map { "\($0)".respBytes }
                // ADDSLOTSRANGE exists since Redis 7.0.
                _ = try await connection.command(
                    RESPCommand("CLUSTER", arguments: ["ADDSLOTS".respBytes] + slots))
            }
        }
        for (node, bus) in zip(self.nodes, self.busPorts).dropFirst() {
            try await self.ask(self.nodes[0], "CLUSTER", "MEET", "127.0.0.1", "\(node.port)", "\(bus)")
        }
        for node in self.nodes {
            try await eventually("all know each other") {
                try await self.ask(node, "CLUSTER", "INFO").string?
                    .contains("cluster_known_nodes:\(self.nodes.count)") == true
            }
        }
        for (index, node) in self.nodes.enumerated().dropFirst(Self.primaryCount) {
            let primary = self.nodes[index - Self.primaryCount]
            let id = try #require(try await self.ask(primary, "CLUSTER", "MYID").string)
            try await self.ask(node, "CLUSTER", "REPLICATE", id)
        }
        for (index, node) in self.nodes.enumerated() {
            try await eventually("whole") {
                let state = try await self.ask(node, "CLUSTER", "INFO").string ?? ""
                let role = try await self.ask(node, "INFO", "replication").string ?? ""
                return state.contains("cluster_state:ok")
                    && role.contains(index < Self.primaryCount ? "state=online" : "master_link_status:up")
            }
        }
    }
}
