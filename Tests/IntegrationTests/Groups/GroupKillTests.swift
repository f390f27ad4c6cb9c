import ComponentKit
import Foundation
import RESP
import RedisClient
import StageKit
import Synchronization
import Testing

/// Three workers of one group, processes of their own, killed one after another while entries come.
///
/// A few kills among all tests; `make groups` does it for minutes and writes what it saw to the file in SLUICE_GROUPS.
@Suite struct GroupKillTests {
    /// The reports by store.
    private static let reports = Mutex<[Store: String]>([:])
    private static var reportPath: String? { ProcessInfo.processInfo.environment["SLUICE_GROUPS"] }
    private static var kills: Int { Self.reportPath == nil ? 5 : 60 }
    /// Long enough for a worker to give signs of life on a machine with more to do than it can.
    private static let claimAfter = "6s"
    /// How long a killed worker is away, in turn: shorter and longer than `claimAfter`.
    private static let absences = [Duration.milliseconds(100), .seconds(7)]
    private static let workers = 3
    private static let keys = 200

    /// One process of a worker.
    private struct Incarnation {
        var process: SluiceProcess
        var folder: URL
        var wasKilled = false
    }

    /// A line of a journal.
    private struct Line {
        var entry: EntryID
        var key: String
        var incarnation: Int
        var deliveries: Int
    }

    /// Where the workers put what they read.
    enum Store: String, CaseIterable, Sendable { case memory, redis }

    /// The pipeline of a store, with a group of its name: workers of one group on a machine share the numbers in their
    /// consumer names, whatever their servers, so a worker of the other store could take the name of a killed one.
    private func pipeline(_ server: RedisServer, _ store: Store) -> String {
        """
        pipeline: shared
        redis: { address: "\(server.address)", timeout: 20s }
        source:
          redis_stream:
            stream: s
            start: beginning
            read_count: 64
            check_interval: 100ms
            group: { name: \(store.rawValue), claim_after: \(Self.claimAfter), max_deliveries: 1000 }
        stores: { newest: { \(store.rawValue): { key: k } } }
        stages:
          - decode: { fields: { k: { required: true }, n: { type: int64 } } }
          - upsert: { store: newest }
        admin: { listen: off }
        """
    }

    /// Starts a worker in a folder of its own, so that its journal is its own.
    private func start(_ folder: URL, _ server: RedisServer, _ store: Store, _ number: Int) throws -> Incarnation {
        let own = folder.appendingPathComponent("w\(number)")
        try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
        try Data(self.pipeline(server, store).utf8).write(to: own.appendingPathComponent("p.yaml"))
        return Incarnation(
            process: try SluiceProcess(["run", "p.yaml", "--journal", "journal"], in: own), folder: own)
    }

    /// Adds entries until told to stop; returns for each key the id of its last entry, and all ids.
    private func load(
        _ server: RedisServer, until isOver: @Sendable () -> Bool
    ) async throws -> (newest: [String: EntryID], ids: Set<EntryID>) {
        try await withConnection(server.settings) { connection in
            var (newest, ids): ([String: EntryID], Set<EntryID>) = ([:], [])
            var number = 0
            while !isOver() {
                let keys = (0..<20).map { _ in "k\(Int.random(in: 0..<Self.keys))" }
                let replies = connection.submit(
                    keys.enumerated().map { RESPCommand("XADD", "s", "*", "k", $1, "n", number + $0) })
                for (key, reply) in zip(keys, replies) {
                    let id = try #require(try await reply.reply().value().string.flatMap { EntryID($0) })
                    newest[key] = id
                    ids.insert(id)
                }
                number += keys.count
                try await Task.sleep(for: .milliseconds(Self.reportPath == nil ? 40 : 10))
            }
            return (newest, ids)
        }
    }

    /// The whole lines of all journals: the last one of a worker that was killed may be torn.
    private func lines(_ incarnations: [Incarnation]) throws -> [Line] {
        try incarnations.enumerated().flatMap { index, incarnation in
            let data = (try? Data(contentsOf: incarnation.folder.appendingPathComponent("journal"))) ?? Data()
            let whole = data[..<(data.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0)]
            return try whole.split(separator: UInt8(ascii: "\n")).map { line in
                let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
                return Line(
                    entry: try #require((object["entry"] as? String).flatMap { EntryID($0) }),
                    key: try #require(object["key"] as? String), incarnation: index,
                    deliveries: object["deliveries"] as? Int ?? 1)
            }
        }
    }

    @Test(
        "Three workers that are killed repeatedly apply every entry, and claim no entry in flight",
        arguments: Store.allCases)
    func killed(_ store: Store) async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let over = OrderedMutex(false)
                async let loaded = self.load(server) { over.withLock { $0 } }
                var incarnations = try (0..<Self.workers).map { try self.start(folder, server, store, $0) }
                var alive = Array(0..<Self.workers)
                for kill in 0..<Self.kills {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 500...1500)))
                    let slot = Int.random(in: 0..<Self.workers)
                    incarnations[alive[slot]].process.kill()
                    incarnations[alive[slot]].wasKilled = true
                    // Sometimes it is back before anybody claims what it had, sometimes not.
                    try await Task.sleep(for: Self.absences[kill % Self.absences.count])
                    alive[slot] = incarnations.count
                    incarnations.append(try self.start(folder, server, store, incarnations.count))
                }
                over.withLock { $0 = true }
                let (newest, ids) = try await loaded
                try await withConnection(server.settings) { connection in
                    try await eventually("everything is worked off") {
                        let groups = try await connection.command(RESPCommand("XINFO", "GROUPS", "s")).array
                        let facts = try #require(groups?.first?.array)
                        let last = try #require(ids.max()).description
                        return facts[5].integer == 0 && facts[7].string == last
                    }
                    for index in alive {
                        let process = incarnations[index].process
                        try await eventually("every worker has come so far") {
                            process.errors.contains("reading the stream")
                        }
                    }
                    for index in alive { try await incarnations[index].process.signal(SIGTERM) }
                    for index in alive {
                        let ending = try await incarnations[index].process.end()
                        #expect(ending.status == 0, "\(ending.errors)")
                    }
                    let group = store.rawValue
                    let pending = try await connection.command(RESPCommand("XPENDING", "s", group))
                    #expect(pending.array?.first == .integer(0))
                    let consumers = try await connection.command(RESPCommand("XINFO", "CONSUMERS", "s", group)).array
                    // A worker comes back under a name of before, unless that still looks taken: then the old one is
                    // left, and must hold nothing.
                    let names = try #require(consumers).count
                    #expect(names < incarnations.count / 2, "\(String(describing: consumers))")
                    #expect(consumers?.allSatisfy { $0.array?[3] == .integer(0) } == true)
                }
                let held = store == .redis ? try await self.held(server, newest.keys) : nil
                try self.check(store, self.lines(incarnations), held, incarnations, newest, ids)
            }
        }
    }

    /// The entries that the store in Redis holds, by key.
    private func held(_ server: RedisServer, _ keys: some Collection<String>) async throws -> [String: EntryID] {
        try await withConnection(server.settings) { connection in
            var held: [String: EntryID] = [:]
            for key in keys {
                let entry = try await connection.command(RESPCommand("HGET", "newest:\(key)", "_entry")).string
                held[key] = entry.flatMap { EntryID($0) }
            }
            return held
        }
    }

    /// `held` is what the store ended with; without it, what one that takes the newer entry of each key ends with,
    /// whoever applied it and in which order.
    private func check(
        _ store: Store, _ lines: [Line], _ held: [String: EntryID]?, _ incarnations: [Incarnation],
        _ newest: [String: EntryID], _ ids: Set<EntryID>
    ) throws {
        var byEntry: [EntryID: [Line]] = [:]
        for line in lines { byEntry[line.entry, default: []].append(line) }
        #expect(Set(byEntry.keys) == ids)
        let applied =
            held ?? lines.reduce(into: [:]) { $0[$1.key] = max($0[$1.key] ?? .zero, $1.entry) }
        #expect(applied == newest)
        // An entry that two workers applied was left by one that was killed: of the others at most one has it.
        let stolen = byEntry.values.filter { lines in
            lines.count { !incarnations[$0.incarnation].wasKilled } > 1
        }
        #expect(stolen.isEmpty, "\(stolen.prefix(3))")
        let doubled = byEntry.values.filter { $0.count > 1 }.count
        let again = lines.filter { $0.deliveries > 1 }.count
        let report = """
            | what | seen, into a \(store.rawValue) store |
            | --- | --- |
            | kills | \(Self.kills) |
            | entries added | \(ids.count) |
            | entries applied at least once | \(byEntry.count) |
            | entries applied more than once (their worker was killed before it had confirmed them) | \(doubled) |
            | deliveries that were not the first | \(again) |
            | entries taken from a worker that had them in hand | \(stolen.count) |
            | keys whose newest entry differs from the model's | \(newest.filter { applied[$0.key] != $0.value }.count) |

            """
        guard let path = Self.reportPath else { return }
        try Self.reports.withLock { reports in
            reports[store] = report
            let text = Store.allCases.compactMap { reports[$0] }.joined()
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        }
    }
}
