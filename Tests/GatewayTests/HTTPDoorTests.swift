import Testing

@testable import Gateway

@Suite struct HTTPDoorTests {
    @Test(
        "Each decision has its status, its reason and all headers",
        arguments: [
            ("good", "200 OK", "allowed", "alice"), ("bad", "403 Forbidden", "refused", ""),
            ("none", "401 Unauthorized", "absent", ""), ("old", "503 Service Unavailable", "stale", ""),
            ("", "401 Unauthorized", "missing", ""),
        ])
    func decisions(key: String, status: String, decision: String, user: String) throws {
        let connection = try DoorConnection()
        for _ in 0..<2 {
            let challenge = status.hasPrefix("401") ? "WWW-Authenticate: Bearer\r\n" : ""
            #expect(
                try connection.request(["X-Session: \(key)"]) == """
                    HTTP/1.1 \(status)\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\(challenge)\
                    X-Sluice-Decision: \(decision)\r\nX-User: \(user)\r\nX-Key: \r\n\r\n
                    """)
        }
        #expect(connection.metrics.all == ["sluice_gateway_decisions http \(decision)": 2])
    }

    @Test(
        "Method, target, Host, Origin and version do not matter",
        arguments: [
            ("POST", "/anything?a=b", ["Origin: http://evil.example", "Host: evil.example", "Content-Length: 0"]),
            ("OPTIONS", "*", []), ("DELETE", "http://other/", ["Sec-Fetch-Site: cross-site"]), ("HEAD", "//", []),
            ("PATCH", "/v1/stores/sessions/", ["Host: a", "Host: b"]),
        ])
    func anyRequest(method: String, target: String, lines: [String]) throws {
        for (key, status) in [("good", "200"), ("bad", "403")] {
            let answer = try DoorConnection().request(lines + ["X-Session: \(key)"], method: method, target: target)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
        }
    }

    @Test(
        "A value that a header cannot carry unchanged is refused",
        arguments: [
            ("a~X-Admin: 1", false), (" a", false), ("a ", false), ("a\u{7F}", false), ("a\u{1}", false),
            ("a\tb", false), ("~", false), ("a b", true), ("", true), ("é", true),
            (String(repeating: "x", count: 4096), true), (String(repeating: "x", count: 4097), false),
        ])
    func values(user: String, isSafe: Bool) throws {
        // Through the store only: the key itself could not carry these bytes in a header.
        var values = GatewayValues()
        values.add(Array(user.utf8).map { $0 == UInt8(ascii: "~") ? 0x0A : $0 })
        values.add(nil)
        let areSafe = values.areSafe
        #expect(areSafe == isSafe)
        guard !user.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }), user == user.trimmingSpaces else { return }
        let answer = try DoorConnection().request(["X-Session: user:\(user)"])
        #expect(answer.hasPrefix(isSafe ? "HTTP/1.1 200 " : "HTTP/1.1 403 "), "\(answer)")
        #expect(answer.contains(isSafe ? "\r\nX-User: \(user)\r\n" : "\r\nX-User: \r\n"))
        #expect(!answer.contains("X-Admin"))
    }

    @Test("Statuses can be set, and 204 has no Content-Length")
    func answers() throws {
        var settings = DoorConnection.settings
        settings.answers.allowed = 204
        settings.answers.stale = 403
        settings.headers = []
        let connection = try DoorConnection(settings)
        #expect(
            try connection.request(["X-Session: good"])
                == "HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\nX-Sluice-Decision: allowed\r\n\r\n")
        #expect(try connection.request(["X-Session: old"]).hasPrefix("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n"))
    }

    @Test(
        "Without the exact token, a request gets no decision and its connection is closed",
        arguments: [
            (["X-Sluice-Token: correct-horse-battery"], true), ([], false), (["X-Sluice-Token: "], false),
            (["X-Sluice-Token: correct-horse-batterx"], false),
            (["X-Sluice-Token: correct-horse-battery", "X-Sluice-Token: wrong"], false),
            (["X-Sluice-Token: wrong", "X-Sluice-Token: correct-horse-battery"], false),
            (["Authorization: Bearer correct-horse-battery"], false),
        ])
    func token(lines: [String], isAccepted: Bool) throws {
        let connection = try DoorConnection(token: "correct-horse-battery")
        let answer = try connection.request(lines + ["X-Session: good"])
        #expect(answer.hasPrefix(isAccepted ? "HTTP/1.1 200 " : "HTTP/1.1 401 "), "\(answer)")
        #expect(answer.contains("X-User") == isAccepted && answer.contains("Connection: close") != isAccepted)
        #expect(try connection.request(lines + ["X-Session: good"]).isEmpty != isAccepted)
        let counted =
            isAccepted ? ["sluice_gateway_decisions http allowed": 2] : ["sluice_gateway_refusals http unauthorized": 1]
        #expect(connection.metrics.all == counted)
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
