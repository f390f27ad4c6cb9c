import Foundation
import NIOCore
import RESP
import RedisClient
import Testing

@testable import Commands

/// What dashboards, alert rules and people rely on: names of metrics and keys of log lines of a worker that runs.
@Suite struct MonitoringTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: self.root.appendingPathComponent("Sources/Packaging/\(path)"), encoding: .utf8)
    }

    /// Adds a good entry, a revoked one, one to put aside and some that are malformed.
    private func fill(_ server: RedisServer, malformed: Int) async throws {
        try await withConnection(server.settings) { connection in
            let good = ["user_id", "u", "client_public_key", "k", "status"]
            var entries = [
                ["device_session_id", "a"] + good + ["active"], ["device_session_id", "b"] + good + ["revoked"],
            ]
            entries += (0..<malformed).map { ["device_session_id", "m\($0)", "user_id", "u"] }
            for entry in entries {
                let arguments = ["gateway:session_events", "*"] + entry
                _ = try await connection.command(RESPCommand("XADD", arguments: arguments.map { Array($0.utf8) }))
            }
        }
    }

    /// What `/metrics` says once `condition` holds for it.
    private func metrics(_ folder: URL, _ condition: (String) -> Bool) async throws -> String {
        var text = ""
        try await eventually("metrics") {
            var body = ByteBuffer()
            let client = AdminClient(address: "unix:\(folder.path)/admin")
            let status = try? await client.get("/metrics") { _, piece in body.writeImmutableBuffer(piece) }
            text = String(buffer: body)
            return status == 200 && condition(text)
        }
        return text
    }

    /// The names of series in an exposition.
    private func names(_ exposition: String) -> Set<String> {
        Set(
            exposition.split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
                String($0.prefix { !"{ ".contains($0) })
            })
    }

    /// The names of Sluice's metrics, and of processes, that a text mentions.
    private func mentioned(_ text: String) -> Set<String> {
        let words = text.split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_")) }.map(String.init)
        return Set(words.filter { word in ["sluice_", "internal_", "process_"].contains { word.hasPrefix($0) } })
    }

    @Test(
        "Every metric in the alert rules, the dashboard and the table is exposed by a worker, and every one is in the table"
    )
    func metricNames() async throws {
        try await withRedisServer { server in
            try await self.fill(server, malformed: 3)
            let arguments = [
                "--set", "source.redis_stream.start=beginning", "--set", "checkpoint.path=checkpoint",
                "--set", "checkpoint.interval=100ms", "--set", "stores.sessions.memory.ttl=30d", "--set",
                "telemetry.otlp.endpoint=http://127.0.0.1:1",
            ]
            try await withWorker(server, arguments) { process, folder in
                // The first checkpoint may be from before the entries were read.
                let exposition = try await self.metrics(folder) {
                    $0.contains(/sluice_checkpoints_total\{result="saved"\} [1-9]/)
                        && $0.contains("\nsluice_events_read_total 5\n")
                        && $0.contains("\nsluice_source_connected 1\n")
                }
                let exposed = self.names(exposition)
                for path in ["prometheus/alerts.yaml", "grafana/sluice.json"] {
                    let missing = try self.mentioned(Self.text(path)).subtracting(exposed)
                    #expect(missing.isEmpty, "\(path) names \(missing.sorted())")
                }
                let families = Set(
                    exposition.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
                        .map { String($0.split(separator: " ")[2]) })
                let table = try Self.text("README.md").split(separator: "\n").filter { $0.hasPrefix("| `") }
                    .joined(separator: "\n")
                let own = families.filter { $0 != "session_events_total" }
                #expect(own.subtracting(self.mentioned(table)).isEmpty)
                #expect(self.mentioned(table).subtracting(families).isEmpty)
                for line in [
                    #"sluice_events_total{outcome="evicted",reason="malformed_event"} 3"#,
                    #"sluice_stage_events_total{result="failed",stage="decode"} 3"#,
                    #"sluice_stage_seconds_count{stage="decode"} "#,
                    #"sluice_stage_seconds_bucket{stage="upsert",le="+Inf"} "#,
                    "sluice_source_lag_entries ", "sluice_source_lag_seconds ", "sluice_source_connected 1",
                    #"sluice_source_gaps_total{kind="trimmed"} 0"#, #"sluice_store_entries{store="sessions"} 2"#,
                    #"internal_event_drops_total{component="session_subscriber",reason="malformed_event"} 3"#,
                ] {
                    #expect(exposition.contains("\n\(line)"), "\(line)")
                }
                let resident = exposition.split(separator: "\n").first {
                    $0.hasPrefix("process_resident_memory_bytes ")
                }
                #expect(resident.flatMap { Double($0.split(separator: " ")[1]) } ?? 0 > 1_000_000)
                try await process.signal(SIGTERM)
                #expect(try await process.end().status == 0)
            }
        }
    }

    @Test("A flood of malformed entries is logged as a few lines and a count; the journal has every entry")
    func flood() async throws {
        try await withRedisServer { server in
            try await self.fill(server, malformed: 500)
            let arguments = [
                "--set", "source.redis_stream.start=beginning", "--log-format", "json", "--journal", "-",
                "--log-repeats", "7",
            ]
            try await withWorker(server, arguments) { process, folder in
                _ = try await self.metrics(folder) {
                    $0.contains("evicted\",reason=\"malformed_event\"} 500")
                }
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                let lines = try ending.errors.split(separator: "\n").map { line in
                    try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
                }
                let dropped = lines.filter { $0["message"] as? String == "dropped session event" }
                let reports = lines.compactMap { $0["held_back"] as? Int }
                // Seven in a span of time; a slow machine may need more than one span.
                #expect(dropped.count >= 7 && dropped.count <= 7 * (reports.count + 1) && !reports.isEmpty)
                for key in ["time", "level", "logger", "message", "stream", "entry", "stage", "reason", "error"] {
                    #expect(dropped.first?[key] is String, "\(key)")
                }
                #expect(reports.reduce(0, +) + dropped.count == 500)
                #expect(ending.output.split(separator: "\n").count { $0.contains("\"outcome\":\"evicted\"") } == 500)
            }
        }
    }

    @Test("Each alert has a test case and says what to do")
    func alerts() throws {
        let rules = try Self.text("prometheus/alerts.yaml").split(separator: "\n")
        let alerts = rules.filter { $0.contains("- alert: ") }.compactMap { $0.split(separator: " ").last }
        #expect(alerts.count > 10 && Set(alerts).count == alerts.count)
        let (cases, runbook) = (try Self.text("prometheus/alerts.test.yaml"), try Self.text("README.md"))
        for alert in alerts {
            #expect(cases.contains("alertname=\"\(alert)\""), "\(alert) is not tested")
            #expect(runbook.contains("\n### \(alert)\n"), "\(alert) is not in the runbook")
        }
    }
}
