import Testing

@testable import Admin

@Suite(.timeLimit(.minutes(5))) struct RequestRulesTests {
    private func exchange(_ request: String) async throws -> String {
        let context = AdminFixture.context(stores: [FixedStore("s", count: 3, bytes: 10)])
        return try await AdminFixture.serve(context) { address in
            String(decoding: try await RawClient.exchange(address, request), as: UTF8.self)
        }
    }

    @Test(
        "An HTTP/1.1 request has exactly one Host header",
        arguments: [
            ("1.1", ["Host: localhost"], 200), ("1.1", [], 400), ("1.1", ["Host: localhost", "Host: localhost"], 400),
            ("1.1", ["Host: localhost", "hOST: evil.example"], 400), ("1.1", ["Host: a, b"], 400),
            ("1.1", ["Host: a/b"], 400), ("1.1", ["Host: user@localhost"], 400), ("1.1", ["Host: [::1]:9191"], 200),
            ("1.0", [], 200), ("1.0", ["Host: localhost"], 200), ("1.0", ["Host: localhost", "Host: localhost"], 400),
        ])
    func hosts(version: String, headers: [String], status: Int) async throws {
        let lines = ["GET /livez HTTP/\(version)"] + headers + ["Connection: close"]
        let answer = try await self.exchange(lines.joined(separator: "\r\n") + "\r\n\r\n")
        let response = try RawResponse(Array(answer.utf8))
        #expect(response.status == status, "\(answer)")
        if status == 400 {
            #expect(response.body.hasPrefix(#"{"error":"bad_request","message":"the "#))
            #expect(response.headers["connection"] == "close")
        }
    }

    @Test(
        "The response to HTTP/1.0 closes the connection and is not chunked",
        arguments: ["", "Connection: keep-alive\r\n"])
    func old(header: String) async throws {
        let answer = try await self.exchange("GET /v1/export/s HTTP/1.0\r\n\(header)\r\nGET /livez HTTP/1.0\r\n\r\n")
        let response = try RawResponse(Array(answer.utf8))
        #expect(answer.hasPrefix("HTTP/1.0 200 OK\r\n"))
        #expect(response.headers["connection"] == "close" && response.headers["transfer-encoding"] == nil)
        #expect(response.body.split(separator: "\n").count == 3, "\(answer)")
        #expect(answer.split(separator: "HTTP/1.").count == 1)
    }

    @Test(
        "A bad pipelined request is answered in its turn, and later ones are not", arguments: ["close", "Close, x"])
    func inTurn(word: String) async throws {
        let good = "GET /v1/export/s HTTP/1.1\r\nHost: localhost\r\n"
        let text = try await self.exchange("\(good)\r\n\(good)\r\nGET /livez HTTP/1.1\r\n\r\n\(good)\r\n")
        let statuses = text.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
        #expect(statuses == ["200", "200", "400"])
        let closing = try await self.exchange("\(good)\r\n\(good)Connection: \(word)\r\n\r\n\(good)\r\n")
        #expect(closing.split(separator: "HTTP/1.1 200").count == 2)
    }

    @Test(
        "Cross-site browser requests are refused, except for a link to the dashboard",
        arguments: [
            ("/livez", ["Sec-Fetch-Site: same-origin"], 200), ("/livez", ["Sec-Fetch-Site: none"], 200),
            ("/livez", ["Sec-Fetch-Site: cross-site"], 403), ("/livez", ["Sec-Fetch-Site: same-site"], 403),
            ("/v1/tap", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"], 403),
            (
                "/v1/stores/s/k0",
                ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: object"], 403
            ),
            (
                "/v1/stores/s/k0",
                ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"], 403
            ),
            ("/", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"], 200),
            ("/?x", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"], 200),
            ("/", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"], 403),
        ])
    func otherSites(target: String, headers: [String], status: Int) async throws {
        let lines = ["GET \(target) HTTP/1.1", "Host: localhost"] + headers + ["Connection: close"]
        let answer = try await self.exchange(lines.joined(separator: "\r\n") + "\r\n\r\n")
        #expect(try RawResponse(Array(answer.utf8)).status == status)
    }

    @Test("Headers keep JSON from other sites' pages and event streams from buffering proxies")
    func headers() async throws {
        try await AdminFixture.serve(AdminFixture.context(stores: [FixedStore("s", count: 1, bytes: 1)])) { address in
            for target in ["/livez", "/v1/stores/s/k0", "/v1/stores/s/none", "/metrics", "/"] {
                let response = try await RawClient.request(address, target)
                #expect(response.headers["cross-origin-resource-policy"] == "same-origin", "\(target)")
                #expect(response.headers["cache-control"] == "no-store", "\(target)")
            }
            for target in ["/v1/live", "/v1/tap", "/v1/revocations"] {
                let head = try await StreamClient.read(address, target) { $0.contains("\r\n\r\n") }.lowercased()
                #expect(head.contains("\r\ncache-control: no-store, no-transform\r\n"), "\(head)")
                #expect(head.contains("\r\nx-accel-buffering: no\r\n"), "\(head)")
            }
        }
    }

    @Test(
        "A path with an empty part or without a key is not an export",
        arguments: [
            ("/v1/stores/s", 400), ("/v1/stores/s?x=/", 400), ("/v1/stores/s/", 400), ("/v1/stores/s/?x", 400),
            ("/v1/export/s", 200), ("/v1/export/s?x=/", 200), ("/v1/export/s/", 400), ("/v1/export//s", 400),
            ("/v1/stores//s", 400), ("/v1/stores/s//k0", 400), ("/v1/stores/s/k0", 200), ("/v1/stores/s/k0/", 400),
            ("/v1/explain/s/", 400), ("/v1/explain/s", 404), ("/v1/explain/s//k0", 400), ("/v1/explain/s/k0", 200),
        ])
    func emptyParts(target: String, status: Int) async throws {
        let head = "GET \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        #expect(try RawResponse(Array(try await self.exchange(head).utf8)).status == status)
    }
}
