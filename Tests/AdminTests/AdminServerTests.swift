import NIOPosix
import StageKit
import Testing

@testable import Admin

@Suite(.timeLimit(.minutes(10))) struct AdminServerTests {
    private static func snapshot(_ key: [UInt8]) -> Snapshot {
        Snapshot(
            entryID: EntryID(milliseconds: 7, sequence: 0), key: key,
            fields: [
                Snapshot.Field(name: "id", bytes: key), Snapshot.Field(name: "n", bytes: [0x35], integer: 5),
            ])
    }

    private static let store = FixedStore(
        "sessions", [Array("ds-1".utf8), Array("a/b c+é".utf8), [0xFF], Array("..".utf8)].map(Self.snapshot))

    @Test(
        "Each path answers with its status, its type and its body",
        arguments: [
            ("/livez", 200, "application/json", #"{"alive":true,"reasons":[]}"#),
            ("/readyz", 200, "application/json", #"{"ready":true,"reasons":[]}"#),
            ("/readyz?x=1", 200, "application/json", #"{"ready":true,"reasons":[]}"#),
            (
                "/v1/stores/sessions/ds-1", 200, "application/json",
                #"{"key":"ds-1","entry":"7-0","fields":{"id":"ds-1","n":5}}"#
            ),
            (
                "/v1/stores/sessions/a%2fb%20c+%C3%A9", 200, "application/json",
                #"{"key":"a/b c+é","entry":"7-0","fields":{"id":"a/b c+é","n":5}}"#
            ),
            (
                "/v1/stores/sessions/%FF", 200, "application/json",
                #"{"key_b64":"/w==","entry":"7-0","fields":{"id_b64":"/w==","n":5}}"#
            ),
            (
                "/v1/stores/sess%69ons/..", 200, "application/json",
                #"{"key":"..","entry":"7-0","fields":{"id":"..","n":5}}"#
            ),
            (
                "/v1/stores/sessions/ds-2", 404, "application/json",
                #"{"error":"not_found","message":"the store sessions has no snapshot under this key"}"#
            ),
            (
                "/v1/stores/other/ds-1", 404, "application/json",
                #"{"error":"not_found","message":"there is no store other; the pipeline has sessions"}"#
            ),
            ("/v1/stores/sessions/a/b", 404, "application/json", nil),
            ("/v1/stores/sessions/%zz", 400, "application/json", nil),
            ("/v1/stores/sessions/%f", 400, "application/json", nil),
            ("/v1/stores", 404, "application/json", nil),
            (
                "/v1/stores/sessions", 400, "application/json",
                #"{"error":"bad_request","message":"name a key: /v1/stores/STORE/KEY; all snapshots are at /v1/export/sessions"}"#
            ),
            (
                "/v1/stores/sessions/", 400, "application/json",
                #"{"error":"bad_request","message":"the key is empty: remove the last /, or add a key after it"}"#
            ),
            (
                "/v1/stores/sessions/ds-1?x=1", 400, "application/json",
                #"{"error":"bad_request","message":"unknown query \"x=1\": a lookup has no parameter but allow=CONDITION"}"#
            ),
            (
                "/v1/stores/sessions/ds-1?allow=five", 200, "application/json",
                #"{"key":"ds-1","entry":"7-0","fields":{"id":"ds-1","n":5}}"#
            ),
            (
                "/v1/stores/sessions/ds-1?allow=%73ix", 403, "application/json",
                #"{"error":"refused","message":"the snapshot does not meet the condition six of the store sessions"}"#
            ),
            (
                "/v1/stores/sessions/ds-1?allow=fiv", 400, "application/json",
                #"{"error":"bad_request","message":"the store sessions has no condition \"fiv\" (did you mean five?); declare conditions in the settings of the store"}"#
            ),
            ("/v1/stores/sessions/none?allow=five", 404, "application/json", nil),
            ("/v1/stores/sessions/ds-1?allow=", 400, "application/json", nil),
            ("/v1/stores/sessions/ds-1?allow=five&allow=six", 400, "application/json", nil),
            ("/v1/export", 404, "application/json", nil),
            ("/v1/export/other", 404, "application/json", nil),
            (
                "/nothing", 404, "application/json",
                #"{"error":"not_found","message":"nothing is served at /nothing"}"#
            ),
            ("/", 200, "text/html; charset=utf-8", nil),
            ("/v1/explain/sessions/ds-1", 200, "application/json", "{}"),
            ("/v1/explain/other/ds-1", 404, "application/json", nil),
            ("/v1/tap?colour=red", 400, "application/json", nil),
            ("/v1/tap?outcome=gone", 400, "application/json", nil),
            ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8", nil),
            ("/v1/pipeline", 200, "application/json", #"{"graph":{}}"#),
        ] as [(String, Int, String, String?)])
    func paths(target: String, status: Int, type: String, body: String?) async throws {
        let context = AdminFixture.context(stores: [Self.store])
        let response = try await AdminFixture.serve(context) { try await RawClient.request($0, target) }
        #expect(response.status == status)
        #expect(response.headers["content-type"] == type)
        #expect(response.headers["cache-control"] == "no-store")
        if let body { #expect(response.body == "\(body)\n") }
    }

    @Test(
        "Methods that a path does not support are refused with the supported ones",
        arguments: ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"],
        ["/livez", "/metrics", "/v1/stores/sessions", "/v1/export/sessions"])
    func methods(method: String, target: String) async throws {
        let context = AdminFixture.context(stores: [Self.store])
        let response = try await AdminFixture.serve(context) {
            try await RawClient.request($0, target, method: method)
        }
        #expect(response.status == 405)
        #expect(response.headers["allow"] == "GET, HEAD")
        #expect(response.body == "{\"error\":\"method_not_allowed\",\"message\":\"this path supports GET, HEAD\"}\n")
    }

    @Test(
        "HEAD is answered like GET, without a body",
        arguments: [("/livez", 200), ("/v1/export/sessions", 200), ("/no", 404)])
    func head(target: String, status: Int) async throws {
        let context = AdminFixture.context(stores: [Self.store])
        let response = try await AdminFixture.serve(context) {
            try await RawClient.request($0, target, method: "HEAD")
        }
        #expect(response.status == status)
        #expect(response.body == "")
    }

    @Test("A worker that is not ready, not alive or not up to date says why")
    func reasons() async throws {
        let context = AdminFixture.context(
            stores: [Self.store], notReady: ["12 entries behind", "not \"connected\""], notAlive: ["stuck"],
            stale: "no news for 5s")
        try await AdminFixture.serve(context) { address in
            let ready = try await RawClient.request(address, "/readyz")
            #expect(ready.status == 503)
            #expect(ready.body == "{\"ready\":false,\"reasons\":[\"12 entries behind\",\"not \\\"connected\\\"\"]}\n")
            let alive = try await RawClient.request(address, "/livez")
            #expect(alive.status == 503)
            #expect(alive.body == "{\"alive\":false,\"reasons\":[\"stuck\"]}\n")
            let lookup = try await RawClient.request(address, "/v1/stores/sessions/ds-1")
            #expect(lookup.status == 503)
            #expect(lookup.body == "{\"error\":\"stale\",\"message\":\"no news for 5s\"}\n")
        }
    }

    @Test("Metrics are those of the registry")
    func metrics() async throws {
        let registry = MetricsRegistry()
        registry.registerCollector { [MetricSample("sluice_store_entries", .gauge, help: "Held.", value: 4)] }
        let response = try await AdminFixture.serve(AdminFixture.context(registry: registry)) {
            try await RawClient.request($0, "/metrics")
        }
        #expect(response.body == registry.exposition())
    }

    @Test("Requests are answered on the server's own event loop, never on the stream's thread")
    func ownThread() async throws {
        var context = AdminFixture.context()
        context.readiness = { MultiThreadedEventLoopGroup.currentEventLoop == nil ? ["on another thread"] : [] }
        let response = try await AdminFixture.serve(context) { try await RawClient.request($0, "/readyz") }
        #expect(response.body == "{\"ready\":true,\"reasons\":[]}\n")
    }

    @Test("A shutdown answers the request in flight and does not wait for its client to close the connection")
    func shutdown() async throws {
        let (asked, continuation) = AsyncStream.makeStream(of: Void.self)
        var context = AdminFixture.context()
        context.readiness = {
            continuation.yield()
            return []
        }
        let answer = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            try await AdminFixture.serve(context) { address in
                group.addTask {
                    try await RawClient.exchange(address, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                }
                for await _ in asked { break }
            }
            return try await group.next() ?? []
        }
        #expect(try RawResponse(answer).status == 200)
    }

    @Test("Two requests on one connection are both answered")
    func keepAlive() async throws {
        let request = "GET /livez HTTP/1.1\r\nHost: localhost\r\n"
        let text = try await AdminFixture.serve(AdminFixture.context()) { address in
            try await RawClient.exchange(address, "\(request)\r\n\(request)Connection: close\r\n\r\n")
        }
        #expect(String(decoding: text, as: UTF8.self).split(separator: "HTTP/1.1 200 OK").count == 2)
    }

    @Test(
        "Malformed requests harm nothing: the next one is answered",
        arguments: [
            ("\u{0}\u{1}\u{2}garbage\r\n\r\n", 400), ("FOO /livez HTTP/1.1\r\n\r\n", 400), ("GET\r\n\r\n", 400),
            ("GET /livez HTTP/9.9\r\n\r\n", 400),
            ("GET /livez HTTP/1.1\r\nX: \(String(repeating: "x", count: 100_000))\r\n\r\n", 400),
            ("GET /\(String(repeating: "x", count: 100_000)) HTTP/1.1\r\n\r\n", 400),
            ("GET /livez HTTP/1.1\r\n\(String(repeating: "X: y\r\n", count: 1000))\r\n", 400),
            ("GET /livez HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            ("GET /livez HTTP/1.1\r\nX: a\u{0}b\r\n\r\n", 400),
            ("PROPFIND /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
            ("GET /livez HTTP/1.1\r\nHos", nil), ("", nil),
            ("POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort", 405),
        ] as [(String, Int?)])
    func malformed(request: String, status: Int?) async throws {
        try await AdminFixture.serve(AdminFixture.context()) { address in
            let answer = try await RawResponse(RawClient.exchange(address, request, closesHalf: true))
            if let status { #expect(answer.status == status) }
            _ = try await RawClient.exchange(address, request, closesAtOnce: true)
            let next = try await RawClient.request(address, "/livez")
            #expect(next.status == 200)
        }
    }
}
