import Foundation
import NIOHTTP1
import StageKit
import StageTestKit
import Synchronization
import Testing
import WebhookStage

@Suite struct WebhookStageTests {
    private let fixture = StageFixture(fields: ["id", "amount"])

    /// Passes entries through a stage with these settings beside the URL, as one batch, and shuts it down.
    ///
    /// The timeout is long where a test names none: on a busy machine a short one would pass by itself.
    private func feed(
        _ server: HookServer, _ settings: [(String, SettingNode)] = [], _ entries: [SampleEntry]
    ) async throws -> [EventReport] {
        let all = [("url", SettingNode.text(server.url)), ("backoff", "1ms"), ("timeout", "60s")] + settings
        let harness = try StageHarness(WebhookStage.self, .mapping(all), in: self.fixture)
        let result: Result<[EventReport], any Error>
        do {
            result = .success(try await harness.complete(harness.process(entries)))
        } catch {
            result = .failure(error)
        }
        await harness.stage.shutDown()
        return try result.get()
    }

    private func entries(_ count: Int) -> [SampleEntry] {
        (1...count).map { SampleEntry(["id": "\($0)"]) }
    }

    @Test("Webhook keeps the contract of stages")
    func conformance() async throws {
        try await HookServer.with({ _, _ in .status(204) }) { server in
            let violations = await StageConformance.check(
                WebhookStage.self, ["url": .text(server.url), "retries": "0", "timeout": "60s"],
                entries: [SampleEntry(["id": "a"]), SampleEntry([:])], in: self.fixture)
            #expect(violations == [])
        }
    }

    @Test("Each event is one request, in order, with its fields as JSON and a key that names the entry")
    func requests() async throws {
        try await HookServer.with({ _, _ in .status(200, body: "thanks") }) { server in
            let reports = try await self.feed(
                server, [("headers", ["X-A": "b", "Content-Type": "application/x-test+json"])],
                [
                    SampleEntry(["amount": "5", "id": "a", "other": "x"]),
                    SampleEntry(bytes: [(Array("id".utf8), [0xFF])]),
                ])
            #expect(reports.allSatisfy { $0.ending == .next && $0.effects == ["webhook"] })
            #expect(server.bodies == [#"{"id":"a","amount":"5"}"#, #"{"id_b64":"/w=="}"#])
            let requests = server.requests
            #expect(requests.map { $0.headers["idempotency-key"] } == [["test:events/1-0"], ["test:events/2-0"]])
            #expect(requests[0].headers["x-a"] == ["b"])
            #expect(requests[0].headers["content-type"] == ["application/x-test+json"])
            #expect(requests[0].method == .POST && requests[0].path == "/hook")
        }
    }

    @Test("The body can contain stream and entry, and the method can be set")
    func envelope() async throws {
        try await HookServer.with({ _, _ in .status(200) }) { server in
            _ = try await self.feed(
                server, [("body", "entry"), ("fields", "entry"), ("method", "PUT")],
                [SampleEntry(["a": "1", "b": "2"])])
            #expect(server.bodies == [#"{"stream":"test:events","entry":"1-0","fields":{"a":"1","b":"2"}}"#])
            #expect(server.requests[0].method == .PUT)
            #expect(server.requests[0].headers["content-type"] == ["application/json"])
        }
    }

    @Test("Each element of an entry has a key of its own, so that a server does not take it for a repetition")
    func elements() async throws {
        try await HookServer.with({ _, _ in .status(200) }) { server in
            let stage = try StageHarness(
                WebhookStage.self, ["url": .text(server.url), "body": "entry", "timeout": "60s"], in: self.fixture)
            let id = EntryID(milliseconds: 7, sequence: 1)
            let reports = try await stage.complete(stage.processElements(self.entries(2), of: id))
            await stage.stage.shutDown()
            #expect(reports.allSatisfy { $0.ending == .next })
            let keys = server.requests.flatMap { $0.headers["idempotency-key"] }
            #expect(keys == ["test:events/7-1#0", "test:events/7-1#1"])
            #expect(
                server.bodies == [
                    #"{"stream":"test:events","entry":"7-1#0","fields":{"id":"1"}}"#,
                    #"{"stream":"test:events","entry":"7-1#1","fields":{"id":"2"}}"#,
                ])
        }
    }

    @Test("429 and 5xx are retried with the same key, and a later success counts")
    func repeated() async throws {
        try await HookServer.with({ number, _ in
            [.status(500), .status(429, headers: [("Retry-After", "0")]), .status(200)][min(number, 2)]
        }) { server in
            let reports = try await self.feed(server, [], self.entries(2))
            #expect(reports.allSatisfy { $0.ending == .next })
            let keys = server.requests.flatMap { $0.headers["idempotency-key"] }
            #expect(keys == ["test:events/1-0", "test:events/1-0", "test:events/1-0", "test:events/2-0"])
        }
    }

    @Test(
        "The event fails if every attempt fails",
        arguments: [
            (HookServer.Answer.status(503), "webhook: the server answered 503 (attempt 3 of 3)"),
            (.hang, "webhook: no complete response within 1s (timeout) (attempt 3 of 3)"),
            (.close, "webhook: "), (.half, "webhook: "),
        ])
    func failing(answer: HookServer.Answer, message: String) async throws {
        try await HookServer.with({ _, _ in answer }) { server in
            // Only a server that never answers is waited for so briefly: others must have time on a busy machine.
            let timeout: SettingNode = if case .hang = answer { "1s" } else { "60s" }
            let reports = try await self.feed(server, [("retries", "2"), ("timeout", timeout)], self.entries(1))
            let failure = try #require(reports[0].failure)
            #expect(failure.message.hasPrefix(message) && failure.message.hasSuffix(" (attempt 3 of 3)"))
            #expect(failure.reason == "webhook_failure" && failure.attempts == 3)
            #expect(reports[0].effects == [])
            // On a busy machine a brief attempt may be over before the server has seen it.
            if case .hang = answer { #expect(server.requests.count <= 3) } else { #expect(server.requests.count == 3) }
        }
    }

    @Test("Other responses fail immediately, and a redirect is not followed", arguments: [400, 401, 404, 302, 307])
    func refused(status: Int) async throws {
        try await HookServer.with({ _, request in
            .status(request.path == "/hook" ? status : 200, headers: [("Location", "/elsewhere")])
        }) { server in
            let reports = try await self.feed(server, [], self.entries(1))
            #expect(reports[0].failureMessage?.hasPrefix("webhook: the server answered \(status)") == true)
            #expect(reports[0].failure?.attempts == 1)
            #expect(server.requests.map(\.path) == ["/hook"])
        }
    }

    @Test("A refused connection is reported by that name")
    func nobody() async throws {
        let url = try await HookServer.with({ _, _ in .hang }) { $0.url }
        let harness = try StageHarness(
            WebhookStage.self, ["url": .text(url), "retries": "1", "backoff": "1ms", "timeout": "60s"],
            in: self.fixture)
        let reports = try await harness.feed(SampleEntry(["id": "a"]))
        #expect(reports[0].failure?.attempts == 2)
        #expect(reports[0].failureMessage?.contains("onnect") == true, "\(reports[0].failureMessage ?? "")")
        await harness.stage.shutDown()
    }

    @Test("With several requests in flight, the results belong to their events, in stream order")
    func inFlight() async throws {
        try await HookServer.with({ _, request in
            // The first of four is the last to be through.
            if request.body == #"{"id":"1"}"# { return .slow(.milliseconds(200)) }
            return .status(request.body == #"{"id":"3"}"# ? 400 : 200)
        }) { server in
            let reports = try await self.feed(
                server, [("max_in_flight", "4"), ("timeout", "60s")], self.entries(20))
            #expect(reports.map(\.id.milliseconds) == (1...20).map { $0 })
            #expect(reports.filter { $0.failure != nil }.map(\.id.milliseconds) == [3])
            #expect(Set(server.bodies) == Set((1...20).map { #"{"id":"\#($0)"}"# }))
        }
    }

    @Test("An endless response is not read to its end")
    func longAnswer() async throws {
        try await HookServer.with({ _, _ in .status(200, body: String(repeating: "x", count: 4 << 20)) }) { server in
            let reports = try await self.feed(server, [], self.entries(3))
            #expect(reports.allSatisfy { $0.ending == .next })
            #expect(server.requests.count == 3)
        }
    }

    @Test("Secrets from files are sent, re-read for each batch, and never logged")
    func secrets() async throws {
        let name = "hook-\(UUID().uuidString.prefix(8))"
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (token, headers) = (folder.appendingPathComponent("token"), folder.appendingPathComponent("headers"))
        try Data("Bearer hush-1\n".utf8).write(to: token)
        try Data("X-Key: hush-2\n".utf8).write(to: headers)
        try await HookServer.with({ number, _ in .status(number == 0 ? 500 : number < 3 ? 200 : 403) }) { server in
            let harness = try StageHarness(
                WebhookStage.self,
                [
                    "url": .text(server.url), "backoff": "1ms", "timeout": "60s",
                    "authorization_file": .text(token.path),
                    "headers_file": .text(headers.path), "headers": ["X-Inline": "hush-3"],
                ], in: self.fixture)
            _ = try await harness.feed(SampleEntry(["id": "a"]))
            try Data("Bearer hush-4".utf8).write(to: token)
            _ = try await harness.feed(SampleEntry(["id": "b"]))
            let refused = try await harness.feed(SampleEntry(["id": "c"]))
            let values = server.requests.map { $0.headers["authorization"] }
            #expect(values == [["Bearer hush-1"], ["Bearer hush-1"], ["Bearer hush-4"], ["Bearer hush-4"]])
            #expect(server.requests.allSatisfy { $0.headers["x-key"] == ["hush-2"] })
            #expect(server.requests.allSatisfy { $0.headers["x-inline"] == ["hush-3"] })
            let told = "\(self.fixture.log.lines) \(refused)"
            #expect(!self.fixture.log.lines.isEmpty)
            #expect(!told.contains("hush"))
            try FileManager.default.removeItem(at: token)
            await #expect(throws: SecretFile.Unreadable.self) { try await harness.feed(SampleEntry(["id": "d"])) }
            #expect(server.requests.count == 4)
            await harness.stage.shutDown()
        }
    }

    @Test("Cancellation ends requests and waits, and throws")
    func cancelled() async throws {
        try await HookServer.with({ number, _ in number == 0 ? .status(500) : .hang }) { server in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: CancellationError.self) {
                        try await self.feed(
                            server, [("timeout", "5m"), ("max_in_flight", "2")], self.entries(50))
                    }
                }
                while server.requests.count < 3 { await Task.yield() }
                group.cancelAll()
            }
        }
    }

    @Test("Fields in the URL are percent-encoded, so that each stays in its part of the path or the query")
    func templates() async throws {
        try await HookServer.with({ _, _ in .status(204) }) { server in
            let settings = [("url", SettingNode.text("\(server.url)/{id}/x?amount={amount}"))]
            let harness = try StageHarness(
                WebhookStage.self, .mapping(settings + [("timeout", "60s"), ("retries", "0")]), in: self.fixture)
            let reports = try await harness.complete(
                harness.process([
                    SampleEntry(["id": "a-1._~", "amount": "5"]),
                    SampleEntry(["id": "../a b?c#d%é", "amount": "1&x=2"]),
                    SampleEntry(bytes: [(Array("id".utf8), [0xFF]), (Array("amount".utf8), [0x0A])]),
                    SampleEntry(["id": "..", "amount": "1"]), SampleEntry(["id": "a"]),
                    SampleEntry(["id": "", "amount": "1"]),
                ]))
            await harness.stage.shutDown()
            #expect(
                server.requests.map(\.path) == [
                    "/hook/a-1._~/x?amount=5", "/hook/..%2Fa%20b%3Fc%23d%25%C3%A9/x?amount=1%26x%3D2",
                ])
            #expect(
                reports.map(\.failureMessage) == [
                    nil, nil, "webhook: url: id is not valid UTF-8", "webhook: url: a part of the path is . or ..",
                    "webhook: url: amount is missing", "webhook: url: id is empty",
                ])
        }
    }

    @Test("max_targets bounds the number of different URLs; without it, they are not bounded")
    func targets() throws {
        for (limit, failures) in [(nil, 0), ("2", 1)] as [(String?, Int)] {
            let bound: [(String, SettingNode)] = limit.map { [("max_targets", .text($0))] } ?? []
            let settings = SettingNode.mapping([("url", "http://127.0.0.1:9/{id}")] + bound)
            let harness = try StageHarness(WebhookStage.self, settings, in: self.fixture)
            let reports = harness.process(["a", "b", "a", "c", "b"].map { SampleEntry(["id": $0]) })
            #expect(reports.filter { $0.failure != nil }.count == failures)
            if limit != nil {
                #expect(
                    reports[3].failureMessage
                        == "webhook: more than 2 different URLs: raise max_targets if that is intended")
            }
        }
    }

    @Test("Scheme, host and port cannot come from an event, and neither can a secret")
    func templateMistakes() {
        var fixture = self.fixture
        fixture.secrets = ["amount"]
        let host = "scheme, host and port must not come from a field: begin with https://host/"
        for (url, message) in [
            ("{id}", "url: \(host)"), ("{id}://a/x", "url: \(host)"), ("https://{id}/x", "url: \(host)"),
            ("https://a.{id}/x", "url: \(host)"), ("https://a:{id}/x", "url: \(host)"),
            ("https://hooks.example{id}", "url: \(host)"),
            ("https://a/{id", "url: a { without } (write {{ for a literal brace)"),
            ("https://a/{idd}", "no earlier stage provides the field \"idd\" (did you mean id?)"),
            ("https://a/{amount}", "the field \"amount\" is secret, but a URL would show it"),
        ] {
            #expect(
                StageHarness<WebhookStage>.mistakes(["url": .text(url).at(2, 3)], in: fixture) == [
                    "2:3: webhook: \(message)"
                ], "\(url)")
        }
        #expect(
            StageHarness<WebhookStage>.mistakes(["url": "http://a", "max_targets": .text("5").at(3, 4)], in: fixture)
                == ["3:4: webhook: max_targets requires a field in braces in url"])
    }

    @Test("Invalid settings are reported with their position")
    func mistakes() {
        func mistakes(_ settings: SettingNode) -> [String] {
            StageHarness<WebhookStage>.mistakes(settings, in: self.fixture)
        }
        for (url, words) in [
            ("hooks.example/x", "the URL must begin with http:// or https://"),
            ("ftp://hooks.example", "the URL must begin with http:// or https://"),
            ("https://", "the URL has no host"), ("https:///x", "the URL has no host"),
            ("https://me:secret@hooks.example", "the URL must not contain a user or password: use authorization_file"),
            ("https://hooks.example/#x", "a fragment (#...) is not sent: remove it"),
            ("https://hooks.example:99999", "the port must be a number from 1 to 65535"),
            ("https://hooks .example", "not a URL: write http://host/path or https://host/path"),
        ] {
            #expect(mistakes(["url": .text(url).at(2, 3)]) == ["2:3: webhook: url: \(words)"], "\(url)")
        }
        #expect(
            mistakes(["url": .text("http://hooks.example").at(2, 3), "authorization_file": "t"]) == [
                "2:3: webhook: url: authorization_file would be sent unencrypted: use https://"
            ])
        for url in ["https://hooks.example/a?b=c", "http://127.0.0.1:9/x", "http://[::1]:9", "http://localhost"] {
            #expect(mistakes(["url": .text(url), "headers_file": "t"]) == [], "\(url)")
        }
        #expect(
            mistakes([
                "url": "http://a", "timeout": .text("1h").at(3, 1),
                "headers": ["Host": .text("x").at(4, 1), "a b": .text("x").at(5, 1), "C": .text("x\r\ny").at(6, 1)],
            ]) == [
                "3:1: webhook: timeout: the maximum is 5m",
                "4:1: webhook: headers: Host: the stage sets this header itself",
                "5:1: webhook: headers: \"a b\" is not a valid header name",
                "6:1: webhook: headers: C: the value contains a line end or another control character",
            ])
    }
}
