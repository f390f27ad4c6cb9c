import Foundation
import NIOCore
import RESP
import RedisClient
import Testing

@testable import Commands

/// The HTTP side of a worker that runs.
@Suite struct AdminSideTests {
    private func get(_ folder: URL, _ path: String) async throws -> (status: UInt, body: String) {
        var body = ByteBuffer()
        let client = AdminClient(address: "unix:\(folder.path)/admin")
        let status = try await client.get(path) { _, piece in body.writeImmutableBuffer(piece) }
        return (status, AdminClient.line(body))
    }

    /// The answer once somebody listens.
    private func firstAnswer(_ folder: URL, _ path: String) async throws -> (status: UInt, body: String) {
        var answer: (status: UInt, body: String) = (0, "")
        try await eventually("listening") {
            guard let found = try? await self.get(folder, path) else { return false }
            answer = found
            return true
        }
        return answer
    }

    @Test("A worker is alive immediately, ready once caught up, and not ready if the server is gone")
    func readiness() async throws {
        try await withRedisServer { server in
            server.kill()
            try await withWorker(server) { process, folder in
                let before = try await self.firstAnswer(folder, "/readyz")
                #expect(before.status == 503)
                #expect(before.body.contains("\"ready\":false"), "\(before.body)")
                // The source may not have started yet.
                try await eventually("the reason") {
                    try await self.get(folder, "/readyz").body.contains("not connected to the source")
                }
                #expect(try await self.get(folder, "/livez").status == 200)
                try await server.start()
                var ready: (status: UInt, body: String) = (0, "")
                try await eventually("ready") {
                    ready = try await self.get(folder, "/readyz")
                    return ready.status == 200
                }
                #expect(ready.body == #"{"ready":true,"reasons":[]}"#)
                server.kill()
                try await eventually("not ready") { try await self.get(folder, "/readyz").status == 503 }
                #expect(try await self.get(folder, "/livez").status == 200)
                try await process.signal(SIGTERM)
                #expect(try await process.end().status == 0)
            }
        }
    }

    @Test("Snapshots and metrics have their fixed forms and names")
    func snapshotsAndMetrics() async throws {
        try await withRedisServer { server in
            let stream = "gateway:session_events"
            try await withConnection(server.settings) { connection in
                let good = ["user_id", "u", "client_public_key", "k", "status", "revoked", "revoked_at_ms", " 7 "]
                for command in [
                    ["XADD", stream, "5-1", "device_session_id", "a b/é"] + good,
                    ["XADD", stream, "6-1", "device_session_id", "x", "user_id", "u"],
                ] {
                    let arguments = command.dropFirst().map { Array($0.utf8) }
                    _ = try await connection.command(RESPCommand("XADD", arguments: arguments))
                }
            }
            let arguments = ["--set", "source.redis_stream.start=beginning"]
            try await withWorker(server, arguments) { process, folder in
                _ = try await self.firstAnswer(folder, "/livez")
                try await eventually("caught up") { try await self.get(folder, "/readyz").status == 200 }
                let key = "/v1/stores/sessions/a%20b%2F%C3%A9"
                try await eventually("applied") { try await self.get(folder, key).status == 200 }
                #expect(
                    try await self.get(folder, key).body
                        == #"{"key":"a b/é","entry":"5-1","fields":{"device_session_id":"a b/é","user_id":"u","#
                        + #""client_public_key":"k","status":"revoked","revoked_at_ms":7}}"#)
                #expect(try await self.get(folder, "/v1/stores/sessions/x").status == 404)
                #expect(try await self.get(folder, "/v1/export/sessions").status == 200)
                let expected = [
                    #"internal_event_drops_total{component="session_subscriber",reason="malformed_event"} 1"#,
                    #"session_events_total{status="revoked"} 1"#,
                    #"sluice_events_total{outcome="applied",reason=""} 1"#,
                    #"sluice_events_total{outcome="evicted",reason="malformed_event"} 1"#,
                    "sluice_events_read_total 2", #"sluice_store_entries{store="sessions"} 1"#,
                    #"sluice_stage_events_total{result="failed",stage="decode"} 1"#,
                    #"sluice_stage_events_total{result="passed",stage="revoke"} 1"#, "sluice_source_connected 1",
                    "sluice_source_lag_seconds 0",
                ]
                // A store shows its change before the batch is counted, and each figure is read for itself.
                var missing = expected
                try await eventually("all is counted: \(missing)") {
                    let lines = try await self.get(folder, "/metrics").body.split(separator: "\n")
                    missing = expected.filter { line in !lines.contains { $0 == line } }
                    return missing.isEmpty
                }
                try await self.expectPipeline(folder)
                try await process.signal(SIGTERM)
                #expect(try await process.end().status == 0)
            }
        }
    }

    /// `/v1/pipeline` tells the graph and what each part has done.
    private func expectPipeline(_ folder: URL) async throws {
        let body = try await self.get(folder, "/v1/pipeline").body
        let document = try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
        let graph = try #require(document["graph"] as? [String: Any])
        let names = try #require(graph["stages"] as? [[String: Any]]).map { $0["name"] as? String }
        let stages = try #require(document["stages"] as? [[String: Any]])
        #expect(names == stages.map { $0["name"] as? String })
        #expect(names.first == "decode")
        #expect(stages.first?["failed"] as? Int == 1)
        #expect(stages.first?["passed"] as? Int == 1)
        #expect(document["read"] as? Int == 2)
        #expect((document["stores"] as? [[String: Any]])?.first?["entries"] as? Int == 1)
        #expect((document["source"] as? [String: Any])?["caught_up"] as? Bool == true)
        let arrows = try #require(graph["arrows"] as? [[String: Any]])
        #expect(arrows.contains { $0["from"] as? String == "stage:upsert" && $0["to"] as? String == "store:sessions" })
    }
}
