import ComponentKit
import Foundation
import Logging
import PipelineEngine
import RESP
import RedisClient
import StageKit
import StageTestKit
import Testing
import Worker

@Suite struct ReferenceTests {
    /// The file as it ships.
    static let pipelineFile = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("pipeline.yaml").path

    /// The ids that the reference saw: those its warnings tell, and one more than the last for those they do not.
    private func ids(_ cases: [ReferenceCase]) -> [EntryID] {
        var last: UInt64 = 1_000_000_000_000
        return cases.map { entry in
            last = entry.messageID?.milliseconds ?? last + 1
            return EntryID(milliseconds: last, sequence: 0)
        }
    }

    /// Runs the shipped pipeline over all entries on a real server.
    private func run(_ cases: [ReferenceCase], _ overrides: [String], _ trace: ReferenceTrace) async throws {
        try await withRedisServer { server in
            let metrics = RecordingMetrics()
            var services = PipelineServices(
                logger: Logger(label: "reference") { _ in ReferenceLog(trace: trace) }, metrics: metrics,
                revocationHandler: ReferenceRevocations(trace: trace))
            services.makeObserver = { ReferenceObserver(trace, metrics) }
            var catalogue = Catalogue.standard
            catalogue.add(ReferenceStore.type(trace))
            catalogue.add(ReferenceRedisStore.type(trace))
            let pipeline = try Pipeline(
                contentsOf: Self.pipelineFile,
                environment: ["REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": "127.0.0.1:0"],
                // A change that is sent again after a timeout would be a repeated one.
                overrides: (overrides + ["redis.timeout=20s"]).compactMap { Override($0) }, catalogue: catalogue,
                services: services)
            let (source, ids) = (pipeline.source, self.ids(cases))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pipeline.run() }
                defer { source.stop() }
                try await eventually("reading") { source.status.state == .reading }
                try await withConnection(server.settings) { connection in
                    let commands = zip(cases, ids).map { entry, id in
                        let head = [source.stream, id.description].map { Array($0.utf8) }
                        return RESPCommand("XADD", arguments: head + entry.bytes)
                    }
                    for (reply, id) in zip(connection.submit(commands), ids) {
                        let added = try await reply.reply().value().string
                        #expect(added == id.description)
                    }
                }
                try await eventually("all read") { trace.entries >= cases.count }
                source.stop()
                try await group.waitForAll()
            }
            #expect(pipeline.statistics.read == UInt64(cases.count))
            #expect(pipeline.statistics.outcomes.reduce(0) { $0 + $1.count } == UInt64(cases.count))
        }
    }

    @Test(
        "All 251 entries have the reference's effects, in any batches, in memory and on a server",
        arguments: [
            [], ["source.redis_stream.read_count=1", "source.redis_stream.catch_up_count=1"],
            [
                "source.redis_stream.read_count=1", "source.redis_stream.catch_up_count=1",
                "stores.sessions={ redis: { key: device_session_id } }",
            ],
        ])
    func reference(overrides: [String]) async throws {
        let cases = try ReferenceCase.all()
        try #require(cases.count == 251)
        let (ids, trace) = (self.ids(cases), ReferenceTrace())
        try #require(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
        try await self.run(cases, overrides, trace)
        var compared = 0
        for (entry, id) in zip(cases, ids) {
            let (found, expected) = (trace.effects(of: id), entry.expected())
            // As bytes: two texts that Unicode calls equal are two different ids.
            #expect(
                found.map { Array($0.utf8) } == expected.map { Array($0.utf8) },
                """
                \(entry.case) (\(id)):
                found    \(found)
                expected \(expected)
                """)
            let record = try #require(trace.record(of: id), "\(entry.case) has no outcome")
            #expect(record.reason == entry.reason, "\(entry.case)")
            compared += 1
        }
        #expect(compared == 251)
        try self.checkDrops(Dictionary(uniqueKeysWithValues: zip(ids, cases)), trace, overrides)
    }

    /// The counters go up by what the reference counted, batch by batch; with one entry in a batch, case by case.
    private func checkDrops(
        _ cases: [EntryID: ReferenceCase], _ trace: ReferenceTrace, _ overrides: [String]
    ) throws {
        var counted = 0
        for batch in trace.batches {
            var expected: [String: Int64] = [:]
            for id in batch.ids {
                guard let reason = try #require(cases[id]).reason else { continue }
                let name = "internal_event_drops{component=\"session_subscriber\",reason=\"\(reason)\"}"
                expected[name, default: 0] += 1
            }
            #expect(batch.drops == expected, "\(batch.ids.map { cases[$0]?.case ?? "" })")
            counted += batch.ids.count
        }
        #expect(counted == 251)
        if !overrides.isEmpty { #expect(trace.batches.count == 251) }
    }
}
