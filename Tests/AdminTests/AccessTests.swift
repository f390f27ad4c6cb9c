import HTTPBase
import StageKit
import Testing

@testable import Admin

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite(.timeLimit(.minutes(10))) struct AccessTests {
    private static let token = "correct-horse-battery"

    private func status(
        _ access: AdminAccess, _ target: String, _ headers: [String]
    ) async throws -> (status: Int, body: String) {
        let context = AdminFixture.context(notReady: ["behind"])
        return try await AdminFixture.serve(context, access: access) { address in
            let host = headers.contains { $0.hasPrefix("Host:") } ? [] : ["Host: localhost"]
            let lines = ["GET \(target) HTTP/1.1"] + host + headers + ["Connection: close"]
            let answer = try await RawClient.exchange(address, lines.joined(separator: "\r\n") + "\r\n\r\n")
            let response = try RawResponse(answer)
            return (response.status, response.body)
        }
    }

    @Test(
        "If a token is set, requests must carry it",
        arguments: [
            (["Authorization: Bearer correct-horse-battery"], 200),
            (["authorization: bearer correct-horse-battery"], 200),
            ([], 401), (["Authorization: correct-horse-battery"], 401), (["Authorization: Bearer "], 401),
            (["Authorization: Bearer correct-horse-batter"], 401),
            (["Authorization: Bearer correct-horse-batteryy"], 401),
            (["Authorization: Bearer correct-horse-batterycorrect-horse-battery"], 401),
            (["Authorization: Basic Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"], 401),
        ])
    func token(headers: [String], status: Int) async throws {
        var access = AdminAccess()
        access.token = Array(Self.token.utf8)
        let answer = try await self.status(access, "/metrics", ["Host: localhost"] + headers)
        #expect(answer.status == status)
        if status == 401 { #expect(!answer.body.contains(Self.token)) }
    }

    @Test("Logs and dumps of a server and its access rules show no token")
    func hidden() {
        var access = AdminAccess()
        access.token = Array(Self.token.utf8)
        let server = AdminServer(
            settings: AdminSettings(listen: .off), access: access, context: AdminFixture.context(),
            logger: AdminFixture.silent)
        var dumped = ""
        dump(server, to: &dumped)
        dump(access, to: &dumped)
        let texts = ["\(server)", "\(access)", String(reflecting: server), String(reflecting: access), dumped]
        // As text, and as a list of bytes.
        for secret in [Self.token, "99, 111, 114", "99\n"] {
            for text in texts { #expect(!text.contains(secret), "\(text)") }
        }
        #expect("\(access)" == "token" && "\(server)" == "AdminServer at off")
    }

    @Test("Probes need no token and get no reasons; the page needs none and contains no data")
    func open() async throws {
        var access = AdminAccess()
        access.token = Array(Self.token.utf8)
        let probe = try await self.status(access, "/readyz", ["Host: localhost"])
        #expect(probe.status == 503)
        #expect(probe.body == "{\"ready\":false,\"reasons\":[]}\n")
        let told = try await self.status(access, "/readyz", ["Authorization: Bearer \(Self.token)"])
        #expect(told.body == "{\"ready\":false,\"reasons\":[\"behind\"]}\n")
        #expect(try await self.status(access, "/", ["Host: localhost"]).status == 200)
        for target in [
            "/v1/live", "/v1/tap", "/v1/revocations", "/v1/pipeline", "/v1/stores/x", "/v1/explain/x/y", "/z",
        ] {
            #expect(try await self.status(access, target, []).status == 401, "\(target)")
        }
    }

    @Test(
        "On a loopback address an unknown Host name is refused",
        arguments: [
            ("localhost", 200), ("LOCALHOST:9191", 200), ("127.0.0.1:80", 200), ("127.8.9.1", 200), ("[::1]:9191", 200),
            ("proxy.internal", 200), ("evil.example", 421), ("evil.example:9191", 421), ("127.0.0.1.evil.example", 421),
            ("192.168.0.1", 421),
        ])
    func host(host: String, status: Int) async throws {
        var access = AdminAccess()
        access.hosts = ["proxy.internal"]
        #expect(try await self.status(access, "/livez", ["Host: \(host)"]).status == status)
    }

    @Test(
        "Pages of other sites are refused, the server's own page is not",
        arguments: [
            ("http://localhost:1", 200), ("https://localhost:1", 200), ("http://evil.example", 403), ("null", 403),
            ("http://localhost:2", 403),
        ])
    func origin(origin: String, status: Int) async throws {
        let headers = ["Host: localhost:1", "Origin: \(origin)"]
        #expect(try await self.status(AdminAccess(), "/livez", headers).status == status)
    }

    @Test("The page runs only its own inline script")
    func policy() async throws {
        let answers = try await AdminFixture.serve(AdminFixture.context()) { address in
            [try await RawClient.request(address, "/"), try await RawClient.request(address, "/")]
        }
        let policies = answers.compactMap { $0.headers["content-security-policy"] }
        #expect(policies.count == 2)
        #expect(policies.first != policies.last)
        #expect(policies.first?.hasPrefix("default-src 'none'; script-src 'nonce-") == true)
        #expect(policies.first?.contains("unsafe") == false)
        for answer in answers {
            #expect(answer.headers["x-frame-options"] == "DENY")
            #expect(answer.headers["referrer-policy"] == "no-referrer")
            #expect(answer.body.hasPrefix("<!doctype html>"))
            #expect(!answer.body.contains("<!--style-->"))
            // Values of the stream are set as text, never as markup; nothing is loaded from elsewhere.
            for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "src=", "@import"] {
                #expect(!answer.body.contains(word), "\(word)")
            }
        }
    }

    @Test("Tokens are equal if their bytes are", arguments: [("", "a"), ("a", "ab"), ("ab", "a"), ("aa", "a")])
    func equality(one: String, other: String) {
        #expect(!AccessToken.equals(Array(one.utf8), Array(other.utf8)))
        #expect(AccessToken.equals(Array(other.utf8), Array(other.utf8)))
    }

    private func settings(_ pairs: [(String, String)]) -> (settings: AdminSettings?, issues: [String]) {
        let position = SettingPosition(line: 1, column: 1)
        let entries = pairs.enumerated().map { index, pair in
            SettingNode.Pair(
                key: pair.0, position: position,
                value: SettingNode(.scalar(pair.1, isPlain: true), at: SettingPosition(line: index + 2, column: 3)))
        }
        var issues = SettingIssues(context: "admin")
        let settings = AdminSettings.type.decode(SettingNode(.mapping(entries), at: position), &issues)
        return (settings, issues.all.map { "\($0.position.line): \($0.message)" })
    }

    @Test("An address that is not loopback needs a token, and short or malformed tokens are refused")
    func rules() {
        #expect(self.settings([("listen", "0.0.0.0:1")]).issues.count == 1)
        let good = self.settings([("listen", "0.0.0.0:1"), ("token", Self.token)])
        #expect(good.issues == [])
        #expect(good.settings?.listen == .tcp(host: "0.0.0.0", port: 1))
        #expect(self.settings([("listen", "0.0.0.0:1"), ("token", "")]).issues.count == 1)
        #expect(
            self.settings([("token", "short")]).issues == ["2: admin: token: must have at least 16 characters"])
        #expect(self.settings([("token", "with spaces in it, sixteen")]).issues.count == 1)
        #expect(
            self.settings([("token", Self.token), ("token_file", "/x")]).issues
                == ["3: admin: token and token_file are both given: keep one of them"])
    }

    @Test("A token file is read, and an unreadable one is reported with its position")
    func tokenFile() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "sluice-token-\(UInt64.random(in: 0 ... .max))"
        ).path
        try Data("\(Self.token)\n".utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let access = try #require(self.settings([("token_file", path)]).settings).readAccess()
        #expect(access.token == Array(Self.token.utf8))
        let missing = try #require(self.settings([("listen", "0.0.0.0:1"), ("token_file", "/nonexistent")]).settings)
        let issue = #expect(throws: SettingIssue.self) { try missing.readAccess() }
        #expect(issue?.position.line == 3)
        #expect(issue?.message.hasPrefix("admin: token_file: /nonexistent: cannot open it") == true)
    }

    @Test(
        "The token of a gateway permits lookups and revocations, and nothing else",
        arguments: [
            ("/v1/stores/s/k0", 200), ("/v1/stores/s/none", 404), ("/v1/stores/s/", 403), ("/v1/stores/s", 403),
            ("/v1/stores//s", 403), ("/v1/export/s", 403), ("/v1/explain/s/k0", 403), ("/v1/tap", 403),
            ("/v1/live", 403), ("/v1/pipeline", 403), ("/metrics", 403), ("/v1/stores/s/k0/x", 403), ("/livez", 200),
            ("//v1/stores/s/k0", 403), ("/v1/x/../stores/s/k0", 403),
        ])
    func lookupToken(target: String, status: Int) async throws {
        var access = AdminAccess()
        access.token = Array(Self.token.utf8)
        access.lookupToken = Array("the-token-of-a-gateway".utf8)
        let context = AdminFixture.context(stores: [FixedStore("s", count: 1, bytes: 1)])
        let statuses = try await AdminFixture.serve(context, access: access) { address in
            var statuses: [Int] = []
            for token in ["the-token-of-a-gateway", "the-token-of-a-gatewax"] {
                let head = "GET \(target) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\n"
                let answer = try await RawClient.exchange(address, head + "Connection: close\r\n\r\n")
                statuses.append(try RawResponse(answer).status)
            }
            return statuses
        }
        #expect(statuses == [status, target == "/livez" ? 200 : 401])
    }

    @Test("A gateway token needs the admin token as well, and a mode or group needs a Unix socket")
    func combinations() {
        #expect(
            self.settings([("lookup_token_file", "/x")]).issues
                == ["2: admin: lookup_token_file: add token_file too, the token for everything else"])
        #expect(self.settings([("token", Self.token), ("lookup_token_file", "/x")]).issues == [])
        #expect(
            self.settings([("mode", "0660")]).issues
                == ["2: admin: mode: only a Unix socket has one, and listen has none"])
        #expect(self.settings([("listen", "unix:/a"), ("mode", "0660"), ("group", "www-data")]).issues == [])
        for mode in ["0777", "640x", "0460", "60", "0640 "] {
            #expect(self.settings([("listen", "unix:/a"), ("mode", mode)]).issues.count == 1, "\(mode)")
        }
    }
}
