import Foundation
import NIOCore
import RESP
import RedisClient
import Testing

@testable import Commands

/// `sluice run` and SIGHUP, on a real server with a steady flow.
@Suite struct ReloadRunTests {
    private static let stream = "orders"
    /// How often the file is written and the signal sent; every second one is bad.
    private static let reloads = 50
    /// Events that come between two reloads at least.
    private static let eventsBetween = 20

    /// The pipeline file of version `number`: it differs from the others in an effect's name, a stage and a condition.
    private static func file(_ server: RedisServer, _ number: Int) -> String {
        """
        pipeline: orders
        redis: { address: "\(server.address)", timeout: 20s }
        source: { redis_stream: { stream: \(self.stream), start: beginning, read_margin: 20s } }
        stores: { orders: { memory: { key: id } } }
        stages:
          - decode: { fields: { id: { required: true }, status: {} } }
          - name: seen
            metrics: { counter: seen }
          - upsert: { store: orders }
          - name: version-\(number)
            revoke: { key: id }
            when: { status: \(number % 2 == 0 ? "even" : "odd") }
        admin: { listen: "${SLUICE_LISTEN}" }

        """
    }

    /// Versions that must be refused, each for a reason of its own.
    private static func badFile(_ server: RedisServer, _ number: Int) -> (text: String, error: String) {
        let good = self.file(server, number)
        return switch number % 5 {
        case 0: ("pipeline: [", "pipeline.yaml:")
        case 1: (good.replacing("upsert", with: "upsrt"), "(did you mean upsert?)")
        case 2:
            (good.replacing("key: id } } }", with: "key: status } } }"), "stores: orders: memory: key: cannot change")
        case 3: (good.replacing("timeout: 20s", with: "timeout: 19s"), "redis: timeout: cannot change")
        default: ("", "found an empty file")
        }
    }

    private struct Setup {
        let folder: URL
        let process: SluiceProcess

        func write(_ text: String) throws {
            try Data(text.utf8).write(to: self.folder.appendingPathComponent("pipeline.yaml"), options: .atomic)
        }

        private var journalData: Data {
            (try? Data(contentsOf: self.folder.appendingPathComponent("journal"))) ?? Data()
        }

        var journal: [Substring] {
            String(decoding: self.journalData, as: UTF8.self).split(separator: "\n")
        }

        /// The number of whole lines in the journal, and the last of them. For polls: to split the journal takes long.
        var journalEnd: (count: Int, last: Substring) {
            let data = self.journalData
            var (count, line) = (0, 0..<0)
            data.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return }
                let newline = Int32(UInt8(ascii: "\n"))
                while let end = memchr(start + line.upperBound, newline, bytes.count - line.upperBound) {
                    line = line.upperBound..<UnsafeRawPointer(end) - start + 1
                    count += 1
                }
            }
            return (count, Substring(decoding: data[line].dropLast(), as: UTF8.self))
        }

        func get(_ path: String) async throws -> (status: UInt, body: String) {
            var body = ByteBuffer()
            let client = AdminClient(address: "unix:\(self.folder.path)/admin")
            let status = try await client.get(path) { _, piece in body.writeImmutableBuffer(piece) }
            return (status, String(buffer: body))
        }

        /// The value of a line of `/metrics`.
        func metric(_ name: String) async throws -> Int? {
            let line = try await self.get("/metrics").body.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
            return line.flatMap { Int($0.dropFirst(name.count + 1)) }
        }
    }

    /// Adds entries until it is cancelled; returns how many.
    private func publish(_ server: RedisServer) async throws -> Int {
        try await withConnection(server.settings) { connection in
            var count = 0
            while !Task.isCancelled {
                let commands = (1...5).map { offset in
                    RESPCommand(
                        "XADD", Self.stream, "\(count + offset)-0", "id", "o-\((count + offset) % 50)", "status",
                        (count + offset) % 2 == 0 ? "even" : "odd")
                }
                for reply in connection.submit(commands) { _ = try await reply.reply().value() }
                count += commands.count
                try? await Task.sleep(for: .milliseconds(2))
            }
            return count
        }
    }

    /// Runs the worker beside a steady flow; `body` reloads. Returns the number of entries that were added.
    private func withFlow(
        _ server: RedisServer, _ folder: URL, _ body: @escaping @Sendable (Setup) async throws -> Void
    ) async throws -> (Setup, count: Int) {
        try Data(Self.file(server, 0).utf8).write(to: folder.appendingPathComponent("pipeline.yaml"))
        let process = try SluiceProcess(
            // However few repeated lines are logged, each reload has its answer.
            ["run", "pipeline.yaml", "--journal", "journal", "--log-repeats", "1"], in: folder,
            environment: ["SLUICE_LISTEN": "unix:\(folder.path)/admin"])
        let setup = Setup(folder: folder, process: process)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await self.publish(server) }
            let result: Result<Void, any Error>
            do {
                try await eventually("a flow") { setup.journalEnd.count >= Self.eventsBetween }
                result = .success(try await body(setup))
            } catch {
                result = .failure(error)
            }
            group.cancelAll()
            let count = try await group.next() ?? 0
            try result.get()
            return count
        }
        return (setup, count)
    }

    @Test("Fifty reloads under load, alternately valid and invalid, lose, duplicate and reorder nothing")
    func steadyFlow() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let (setup, count) = try await self.withFlow(server, folder) { setup in
                    for number in 1...Self.reloads {
                        let before = setup.journalEnd.count
                        if number % 2 == 1 {
                            let (text, error) = Self.badFile(server, number)
                            try setup.write(text)
                            try await setup.process.signal(SIGHUP)
                            try await eventually("refused \(number)") {
                                try await setup.metric("sluice_reloads_total{result=\"refused\"}") == (number + 1) / 2
                            }
                            try await eventually("told \(number)") {
                                let line = setup.process.errors.split(separator: "\n").last {
                                    $0.contains("refused error=")
                                }
                                return line?.contains(error) == true
                            }
                            #expect(try await setup.metric("sluice_config_last_reload_error") == 1)
                        } else {
                            try setup.write(Self.file(server, number / 2))
                            try await setup.process.signal(SIGHUP)
                            try await eventually("applied \(number)") {
                                try await setup.metric("sluice_config_generation") == number / 2 + 1
                            }
                            #expect(try await setup.metric("sluice_config_last_reload_error") == 0)
                            // The batch in flight still has the version before.
                            try await eventually("version \(number / 2) is used") {
                                let (count, last) = setup.journalEnd
                                return Self.version(of: last, at: count - 1) == number / 2 % 2
                            }
                        }
                        #expect(try await setup.get("/livez").status == 200)
                        try await eventually("the flow goes on") {
                            setup.journalEnd.count >= before + Self.eventsBetween
                        }
                    }
                }
                // The journal is written before its batch is counted.
                try await eventually("all handled") {
                    let read = try await setup.metric("sluice_events_read_total")
                    let status = try await setup.get("/readyz").status
                    return setup.journalEnd.count == count && read == count && status == 200
                }
                try await self.expectWhole(setup, count: count)
                try await setup.process.signal(SIGTERM)
                #expect(try await setup.process.end().status == 0)
            }
        }
    }

    /// The version, by its last bit, whose effects a line has: one revokes the even entries, the next one the odd ones.
    private static func version(of line: Substring, at index: Int) -> Int {
        let isRevoked = line.hasSuffix("\"effects\":[\"upsert\",\"revoke\"]}")
        return isRevoked == ((index + 1) % 2 == 0) ? 0 : 1
    }

    /// Every entry once and in order, each with the effects of one version, versions in turn; and the counts agree.
    private func expectWhole(_ setup: Setup, count: Int) async throws {
        let journal = setup.journal
        #expect(journal.count == count)
        var turns = 0
        var previous = 0
        for (index, line) in journal.enumerated() {
            #expect(line.hasPrefix("{\"entry\":\"\(index + 1)-0\",\"outcome\":\"applied\""), "\(line)")
            let version = Self.version(of: line, at: index)
            if version != previous { turns += 1 }
            previous = version
        }
        #expect(turns == Self.reloads / 2, "each version that was applied is seen in the journal")
        #expect(try await setup.metric("sluice_events_read_total") == count)
        #expect(try await setup.metric("sluice_events_total{outcome=\"applied\",reason=\"\"}") == count)
        #expect(try await setup.metric("sluice_stage_events_total{result=\"passed\",stage=\"seen\"}") == count)
        #expect(try await setup.metric("seen_total") == count)
        #expect(try await setup.metric("sluice_store_entries{store=\"orders\"}") == 50)
        #expect(try await setup.metric("sluice_reloads_total{result=\"applied\"}") == Self.reloads / 2)
        #expect(try await setup.metric("sluice_source_reconnects_total") == 0)
    }

    @Test("A reload of an unchanged or a missing file changes nothing")
    func nothingNew() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let (setup, count) = try await self.withFlow(server, folder) { setup in
                    try setup.write(Self.file(server, 0) + "# A comment.\n")
                    try await setup.process.signal(SIGHUP)
                    try await eventually("unchanged") {
                        try await setup.metric("sluice_reloads_total{result=\"unchanged\"}") == 1
                    }
                    try FileManager.default.removeItem(at: setup.folder.appendingPathComponent("pipeline.yaml"))
                    try await setup.process.signal(SIGHUP)
                    try await eventually("refused") {
                        try await setup.metric("sluice_reloads_total{result=\"refused\"}") == 1
                    }
                    let state = try JSONSerialization.jsonObject(
                        with: Data(try await setup.get("/v1/pipeline").body.utf8))
                    let reloads = (state as? [String: Any])?["reloads"] as? [String: Any]
                    #expect(reloads?["unchanged"] as? Int == 1)
                    #expect(reloads?["last_error"] as? String == "pipeline.yaml: there is no such file")
                    try await eventually("told") { setup.process.errors.contains("there is no such file") }
                }
                try await eventually("all handled") { setup.journal.count == count }
                #expect(try await setup.metric("sluice_config_generation") == 1)
                try await setup.process.signal(SIGTERM)
                #expect(try await setup.process.end().status == 0)
            }
        }
    }
}
