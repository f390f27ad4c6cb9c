import Foundation
import RESP
import RedisClient
import Testing

/// A worker that sends traces and metrics to a collector, which checks them against the protocol's JSON schema.
@Suite struct OTLPExportTests {
    /// A running collector.
    private struct Collector {
        let folder: URL
        let port: Substring

        var log: String {
            (try? String(contentsOf: self.folder.appendingPathComponent("collector"), encoding: .utf8)) ?? ""
        }

        /// The collector's lines that begin with `prefix`.
        func lines(_ prefix: String) -> [Substring] {
            self.log.split(separator: "\n").filter { $0.hasPrefix(prefix) }
        }
    }

    /// Runs a collector, and a worker that sends to it.
    ///
    /// - Parameters:
    ///   - refusals: The number of requests that the collector refuses first.
    ///   - mode: How the collector misbehaves.
    ///   - settings: Further settings below `telemetry.otlp`.
    ///   - body: What happens, with the collector, the worker and a function that adds an entry to the stream.
    private func withCollector(
        refusals: Int = 0, mode: String = "", settings: [String] = [],
        _ body: (Collector, SluiceProcess, () async throws -> Void) async throws -> Void
    ) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await withFolder { folder in
                    let fixtures = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
                    let child = try Child(
                        [
                            "/usr/bin/python3", fixtures.appendingPathComponent("otlp_collector.py").path,
                            fixtures.appendingPathComponent("otlp.schema.json").path, "\(refusals)", mode,
                        ], in: folder, log: "collector")
                    defer {
                        kill(child.pid, SIGKILL)
                        _ = child.wait()
                    }
                    let starting = Collector(folder: folder, port: "")
                    try await eventually("the collector listens") { starting.log.contains("\n") }
                    let port = try #require(starting.lines("port ").first?.dropFirst("port ".count))
                    let all = ["endpoint=http://127.0.0.1:\(port)", "headers.X-Tenant=one"] + settings
                    try await withWorker(server, all.flatMap { ["--set", "telemetry.otlp.\($0)"] }) { process, _ in
                        // The shipped pipeline reads what is added after it has connected.
                        try await eventually("reading") { process.errors.contains("reading the stream") }
                        try await body(Collector(folder: folder, port: port), process) {
                            let entry = [
                                "device_session_id", "ds-1", "user_id", "u", "client_public_key", "k", "status",
                                "active",
                            ]
                            _ = try await connection.command(
                                RESPCommand(
                                    "XADD", arguments: (["gateway:session_events", "*"] + entry).map { Array($0.utf8) })
                            )
                        }
                    }
                }
            }
        }
    }

    private func end(_ process: SluiceProcess) async throws {
        try await process.signal(SIGTERM)
        #expect(try await process.end().status == 0)
    }

    @Test("Traces and metrics reach a collector in the protocol's form, also after it has refused some requests")
    func export() async throws {
        try await self.withCollector(refusals: 2, settings: ["interval=1s"]) { collector, process, add in
            try await add()
            try await eventually("both signals arrive") {
                collector.log.contains("sluice.batch") && collector.log.contains("sluice_events_total")
            }
            try await self.end(process)
            #expect(collector.lines("refused").count == 2)
            #expect(!collector.log.contains("invalid"), "\(collector.log)")
            #expect(!collector.lines("/v1/traces valid").isEmpty && !collector.lines("/v1/metrics valid").isEmpty)
            #expect(!collector.log.contains(" POST"), "an export caused spans: \(collector.log)")
        }
    }

    @Test("A worker that stops sends its last metrics and spans, also those whose request gets no answer")
    func shutdown() async throws {
        try await self.withCollector(mode: "stall", settings: ["interval=1s"]) { collector, process, add in
            try await add()
            try await eventually("a request hangs") { !collector.lines("stalled").isEmpty }
            try await self.end(process)
            #expect(collector.log.contains("sluice.batch"), "the spans of the request that hung: \(collector.log)")
            #expect(!process.errors.contains("spans are lost"))
        }
    }

    @Test("Answers that never end do not hang the exporter or the shutdown, and lost spans are reported")
    func endless() async throws {
        try await self.withCollector(mode: "endless", settings: ["interval=1s", "timeout=100ms"]) {
            collector, process, add in
            try await add()
            try await eventually("an export is given up") { process.errors.contains("no complete answer within 100ms") }
            try await add()
            try await self.end(process)
            #expect(process.errors.contains("spans are lost"))
        }
    }

    @Test(
        "Each error of a collector is logged once with its reason, however often it happens",
        arguments: [
            ("400", "the collector answered 400: a reason"),
            ("307", "redirects are not followed"),
            ("page", "the answer 200 is a web page"),
            ("partial", "too old"),
        ])
    func errors(mode: String, reason: String) async throws {
        try await self.withCollector(mode: mode, settings: ["interval=1s"]) { collector, process, _ in
            try await eventually("some exports") { collector.lines("/v1/metrics").count > 3 }
            try await self.end(process)
            let lines = process.errors.split(separator: "\n").filter {
                $0.contains(reason) && $0.contains("signal=metrics")
            }
            #expect(lines.count == 1, "\(process.errors)")
        }
    }
}
