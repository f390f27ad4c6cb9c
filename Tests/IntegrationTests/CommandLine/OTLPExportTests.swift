import Foundation
import RESP
import RedisClient
import Testing

/// A worker that sends traces and metrics to a collector, which checks them against the protocol's JSON schema.
@Suite struct OTLPExportTests {
    @Test("Traces and metrics reach a collector in the protocol's form, also after it has refused some requests")
    func export() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await withFolder { folder in
                    let fixtures = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
                    let collector = try Child(
                        [
                            "/usr/bin/python3", fixtures.appendingPathComponent("otlp_collector.py").path,
                            fixtures.appendingPathComponent("otlp.schema.json").path, "2",
                        ], in: folder, log: "collector")
                    defer {
                        kill(collector.pid, SIGKILL)
                        _ = collector.wait()
                    }
                    let log = {
                        (try? String(contentsOf: folder.appendingPathComponent("collector"), encoding: .utf8)) ?? ""
                    }
                    try await eventually("the collector listens") { log().contains("port ") && log().contains("\n") }
                    let port = try #require(log().split(separator: "\n").first?.dropFirst("port ".count))
                    let settings = [
                        "endpoint=http://127.0.0.1:\(port)", "interval=1s", "headers.X-Tenant=one",
                    ].flatMap { ["--set", "telemetry.otlp.\($0)"] }
                    try await withWorker(server, settings) { process, _ in
                        // The shipped pipeline reads what is added after it has connected.
                        try await eventually("reading") { process.errors.contains("reading the stream") }
                        let entry = [
                            "device_session_id", "ds-1", "user_id", "u", "client_public_key", "k", "status", "active",
                        ]
                        _ = try await connection.command(
                            RESPCommand(
                                "XADD", arguments: (["gateway:session_events", "*"] + entry).map { Array($0.utf8) }))
                        try await eventually("both signals arrive") {
                            log().contains("sluice.batch") && log().contains("sluice_events_total")
                        }
                        try await process.signal(SIGTERM)
                        #expect(try await process.end().status == 0)
                    }
                    let lines = log().split(separator: "\n")
                    #expect(lines.filter { $0.hasPrefix("refused") }.count == 2)
                    #expect(!log().contains("invalid"), "\(log())")
                    #expect(log().contains("/v1/traces valid") && log().contains("/v1/metrics valid"))
                    #expect(!log().contains(" POST"), "an export caused spans: \(log())")
                }
            }
        }
    }
}
