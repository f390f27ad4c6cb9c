import Foundation
import NIOCore
import RESP
import RedisClient
import Testing

@testable import Commands

/// The dashboard in a real browser: `make dashboard` installs it and keeps pictures of it.
@Suite(.timeLimit(.minutes(10)), .enabled(if: Browser.isThere, "Chromium is not installed"))
struct DashboardTests {
    private static let stream = "gateway:session_events"
    /// A key that would run a script, were it ever taken for markup.
    private static let hostile = #"<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>"#

    private func add(_ connection: RedisConnection, _ sessions: Int, malformed: Int, from start: Int = 0) async throws {
        var commands: [RESPCommand] = []
        for index in start..<(start + sessions + malformed) {
            var fields = [
                ("device_session_id", "ds-\(index)"), ("user_id", "u"), ("client_public_key", "public-key-x"),
            ]
            if index < start + sessions { fields.append(("status", index % 10 == 0 ? "revoked" : "active")) }
            let arguments =
                [Self.stream.respBytes, "*".respBytes] + fields.flatMap { [$0.0.respBytes, $0.1.respBytes] }
            commands.append(RESPCommand("XADD", arguments: arguments))
        }
        // As many at once as a connection takes.
        for start in stride(from: 0, to: commands.count, by: 500) {
            for reply in connection.submit(Array(commands[start..<min(start + 500, commands.count)])) {
                _ = try await reply.reply().value()
            }
        }
    }

    /// Runs the shipped pipeline on a loopback port.
    private func withPage(
        _ arguments: [String] = [], _ body: (RedisServer, RedisConnection, Browser, AdminClient) async throws -> Void
    ) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let port = try RawSocket.freePort()
                let environment = ["SLUICE_LISTEN": "127.0.0.1:\(port)"]
                try await withWorker(server, arguments, environment: environment) { process, folder in
                    let client = AdminClient(address: "127.0.0.1:\(port)")
                    try await eventually("ready") { (try? await client.answer("/readyz").status) == 200 }
                    try await body(
                        server, connection, Browser(url: "http://127.0.0.1:\(port)/", folder: folder), client)
                    try await process.signal(SIGTERM)
                    #expect(try await process.end().status == 0)
                }
            }
        }
    }

    private func untilRead(_ count: Int, _ client: AdminClient) async throws {
        try await eventually("\(count) read") {
            String(buffer: try await client.answer("/metrics").body).contains("sluice_events_read_total \(count)\n")
        }
    }

    @Test("The page shows the figures of /metrics, and stream content only as text")
    func figures() async throws {
        try await self.withPage { _, connection, browser, client in
            try await self.add(connection, 40, malformed: 5)
            let arguments = [Self.stream, "*", "device_session_id", Self.hostile, "user_id", "u"].map { $0.respBytes }
            _ = try await connection.command(RESPCommand("XADD", arguments: arguments))
            try await self.untilRead(46, client)
            let page = try await browser.page()
            let lines = String(buffer: try await client.answer("/metrics").body).split(separator: "\n")
            let figures = Browser.figures(of: page)
            for name in [
                "sluice_events_read_total", "sluice_source_connected", "sluice_source_lag_entries",
                "sluice_source_lag_seconds", #"sluice_store_entries{store="sessions"}"#,
                #"sluice_events_total{outcome="applied",reason=""}"#,
                #"sluice_events_total{outcome="evicted",reason="malformed_event"}"#,
            ] {
                let value = try #require(figures[name], "\(name) is not on the page")
                let line = try #require(lines.first { $0.hasPrefix("\(name) ") }, "\(name) is not in /metrics")
                #expect(Double(line.dropFirst(name.count + 1)) == Double(value), "\(name)")
            }
            #expect(page.contains("&lt;img src=x onerror="))
            #expect(!page.contains("<img"))
            #expect(!page.contains("<title>taken"))
            #expect(!page.contains("public-key-x"))
            #expect(page.contains(#"<span id="pill" class="pill good">ready</span>"#))
            for stage in ["decode", "validate", "upsert", "revoke", "evict"] {
                #expect(page.contains(">\(stage)</text>"), "\(stage) is not in the graph")
            }
            #expect(page.contains(#"data-from="stage:decode" data-to="stage:validate""#))
        }
    }

    @Test("The page of an unhealthy worker shows the problem and the remedy")
    func trouble() async throws {
        let arguments = ["--set", "source.redis_stream.max_staleness=2s", "--set", "source.redis_stream.read_block=1s"]
        try await self.withPage(arguments) { server, connection, browser, client in
            try await self.add(connection, 20, malformed: 0)
            try await self.untilRead(20, client)
            server.kill()
            try await eventually("stale") {
                try await client.answer("/v1/stores/sessions/ds-1").status == 503
            }
            // A slow machine's lookups may be stale before the connection is lost.
            try await eventually("disconnected") {
                String(buffer: try await client.answer("/metrics").body).contains("\nsluice_source_connected 0\n")
            }
            let page = try await browser.page(picture: "stale", seconds: 8)
            #expect(page.contains(#"<span id="pill" class="pill bad">not ready</span>"#))
            #expect(page.contains("<strong>Not connected</strong>"))
            #expect(page.contains("Lookups in sessions are refused"))
            #expect(page.contains("sluice check"))
        }
    }

    @Test("Screenshots can be written", .enabled(if: Browser.pictures != nil))
    func pictures() async throws {
        try await self.withPage { _, connection, browser, _ in
            for (name, malformed, width) in [("healthy", 2, 1280), ("phone", 4, 390), ("flood", 900, 1280)] {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        var start = 0
                        while !Task.isCancelled {
                            try await self.add(connection, 400, malformed: malformed, from: start % 20_000)
                            start += 400
                            try await Task.sleep(for: .milliseconds(180))
                        }
                    }
                    _ = try await browser.page(picture: name, width: width, seconds: 8)
                    group.cancelAll()
                    // A flow that has failed would leave a picture of nothing.
                    do { try await group.waitForAll() } catch is CancellationError {}
                }
            }
        }
    }
}

/// A page in Chromium without a window.
struct Browser {
    /// Debian's package.
    private static let path = "/usr/bin/chromium"
    /// Whether there is one.
    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: self.path) }
    /// The folder that pictures are kept in; nil for nowhere.
    static var pictures: String? { ProcessInfo.processInfo.environment["SLUICE_PICTURES"] }

    let url: String
    let folder: URL

    /// The maximum number of times that a page is read.
    private static let attempts = 10

    /// The page's markup after some seconds; where pictures are kept, one is taken.
    func page(picture: String? = nil, width: Int = 1280, seconds: Int = 5) async throws -> String {
        let name = "browser-\(UUID().uuidString.prefix(8))"
        var arguments = [
            Self.path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--user-data-dir=\(self.folder.path)/\(name).profile", "--window-size=\(width),1000", "--hide-scrollbars",
            "--virtual-time-budget=\(seconds * 1000)",
        ]
        if let picture, let folder = Self.pictures {
            let script = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
                .appendingPathComponent("take_picture.py").path
            let taken = try Child(
                [
                    "python3", script, Self.path, self.url, String(width), String(seconds),
                    "\(folder)/\(picture).png",
                ], in: self.folder, log: "\(name).picture")
            #expect(try await self.end(taken) == 0)
        }
        arguments += ["--dump-dom", self.url]
        // The page's clock can run out before the worker's first event arrives on a busy machine: then it is read again.
        var text = ""
        for attempt in 1...Self.attempts {
            let log = "\(name).\(attempt)"
            let child = try Child(
                ["/bin/sh", "-c", "exec \"$@\" 2>/dev/null", "sh"] + arguments, in: self.folder, log: log)
            #expect(try await self.end(child) == 0)
            text = try String(contentsOf: self.folder.appendingPathComponent(log), encoding: .utf8)
            if !text.contains(#"<span id="pill" class="pill">connecting</span>"#) { break }
        }
        return text
    }

    /// Waits for a child's end without a thread of its own: others feed the worker meanwhile.
    private func end(_ child: Child) async throws -> Int32 {
        while true {
            if let status = child.endedStatus() { return status }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The figures that a page marks, by their names in `/metrics`.
    static func figures(of page: String) -> [String: String] {
        var found: [String: String] = [:]
        for part in page.components(separatedBy: "data-metric=\"").dropFirst() {
            let pieces = part.components(separatedBy: "\" data-value=\"")
            guard pieces.count > 1, let value = pieces[1].split(separator: "\"", omittingEmptySubsequences: false).first
            else { continue }
            found[pieces[0].replacing("&quot;", with: "\"")] = String(value)
        }
        return found
    }
}
