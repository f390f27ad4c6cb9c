import StageKit
import Testing

@testable import Admin

@Suite(.timeLimit(.minutes(10))) struct RevocationStateTests {
    private static func snapshot(_ key: String, _ entry: UInt64, n: Int64? = nil, status: String? = nil) -> Snapshot {
        let number = n.map { Snapshot.Field(name: "n", bytes: Array("\($0)".utf8), integer: $0) }
        let text = status.map { Snapshot.Field(name: "status", bytes: Array($0.utf8)) }
        return Snapshot(
            entryID: EntryID(milliseconds: entry, sequence: 0), key: Array(key.utf8),
            fields: [number, text].compactMap(\.self))
    }

    /// A store with a session for each case: active, revoked, without a status, and two evicted keys.
    private static let sessions = FixedStore(
        "sessions",
        [
            snapshot("active", 1, status: "active"), snapshot("revoked", 2, status: "revoked"), snapshot("bare", 3),
        ], conditions: [], kept: ["status"],
        evicted: [
            (Array("evicted".utf8), EntryID(milliseconds: 4, sequence: 1)),
            ([0xFF], EntryID(milliseconds: 5, sequence: 0)),
        ])

    private func revoke(_ log: RevocationLog, _ key: String) {
        var batch = RevocationLog.Batch()
        batch.add(key.utf8.span, EntryID(milliseconds: 9, sequence: 1))
        log.append(batch)
    }

    @Test("A follower that asks for the state gets the refused keys without ids, then the changes")
    func stateThenEvents() async throws {
        let context = AdminFixture.context(stores: [Self.sessions])
        let log = context.revocations
        self.revoke(log, "before")
        let text = try await AdminFixture.serve(context) { address in
            try await StreamClient.read(address, "/v1/revocations?state=all") { text in
                if text.contains("event: hello"), log.total == 1 { self.revoke(log, "after") }
                return text.contains(#""key":"after""#)
            }
        }
        let events = text.replacing("\r\n", with: "\n").split(separator: "\n").filter { line in
            ["event: ", "id: ", "data: "].contains { line.hasPrefix($0) }
        }
        let marker = #"{"store":"sessions","condition":"status: active","complete":"#
        #expect(
            events.prefix(15) == [
                "event: state", "data: \(marker)false}",
                "event: revocation", #"data: {"key":"revoked","entry":"2-0"}"#,
                "event: revocation", #"data: {"key":"bare","entry":"3-0"}"#,
                "event: eviction", #"data: {"key":"evicted","entry":"4-1","reason":"evicted"}"#,
                "event: eviction", #"data: {"key_b64":"/w==","entry":"5-0","reason":"evicted"}"#,
                "event: state", "data: \(marker)true}",
                "event: hello", "id: \(log.run)-1", "data: {\"run\":\"\(log.run)\"}",
            ])
        #expect(text.contains("id: \(log.run)-2\ndata: {\"key\":\"after\",\"entry\":\"9-1\"}\n\n"))
        #expect(!text.contains(#""key":"before""#))
    }

    @Test("What is revoked while the state is read follows it, so that nothing is lost between the two")
    func noGap() async throws {
        let log = RevocationLog()
        let store = FixedStore("sessions", [Self.snapshot("six", 1, n: 6)]) { self.revoke(log, "meanwhile") }
        var context = AdminFixture.context(stores: [store])
        context.revocations = log
        let text = try await AdminFixture.serve(context) { address in
            try await StreamClient.read(address, "/v1/revocations?state=all&allow=five") {
                $0.contains(#""key":"meanwhile""#)
            }
        }
        #expect(text.contains("event: hello\nid: \(log.run)-0\n"))
        #expect(text.contains("id: \(log.run)-1\ndata: {\"key\":\"meanwhile\",\"entry\":\"9-1\"}\n\n"))
    }

    @Test("A follower that continues gets no state; one that cannot gets the gap, without an id, and the state")
    func continued() async throws {
        let context = AdminFixture.context(stores: [Self.sessions])
        let log = context.revocations
        self.revoke(log, "a")
        self.revoke(log, "b")
        try await AdminFixture.serve(context) { address in
            let known = try await StreamClient.read(
                address, "/v1/revocations?state=all", headers: ["Last-Event-ID: \(log.run)-1"]
            ) { $0.contains("event: status") }
            #expect(!known.contains("event: state\n") && known.contains("id: \(log.run)-2\n"))
            let unknown = try await StreamClient.read(
                address, "/v1/revocations?state=all", headers: ["Last-Event-ID: other-1"]
            ) { $0.contains("event: status") }
            let gap = try #require(unknown.firstRange(of: "event: gap\ndata: {\"reason\":\"restarted\"}\n\n"))
            let state = try #require(unknown.firstRange(of: "event: state\n"))
            #expect(gap.upperBound <= state.lowerBound)
            #expect(unknown.contains("id: \(log.run)-2\n"))
            log.noteLoss()
            let lost = try await StreamClient.read(
                address, "/v1/revocations?state=all", headers: ["Last-Event-ID: \(log.run)-2"]
            ) { $0.contains("event: status") }
            #expect(lost.contains("event: gap\ndata: {\"reason\":\"entries_lost\"}\n\n"))
            #expect(lost.contains("\"complete\":true"))
        }
    }

    @Test(
        "The store and the condition are named, or there is only one",
        arguments: [
            ("state=all&store=numbers&allow=five", "\"condition\":\"five\"", ["six", "none"]),
            ("state=all&store=numbers&allow=six", "\"condition\":\"six\"", ["five", "none"]),
            ("state=all&store=sessions", "\"condition\":\"status: active\"", ["revoked", "bare", "evicted"]),
        ])
    func named(query: String, condition: String, refused: [String]) async throws {
        let numbers = FixedStore(
            "numbers", [Self.snapshot("five", 1, n: 5), Self.snapshot("six", 2, n: 6), Self.snapshot("none", 3)])
        let context = AdminFixture.context(stores: [Self.sessions, numbers])
        let text = try await AdminFixture.serve(context) { address in
            try await StreamClient.read(address, "/v1/revocations?\(query)") { $0.contains("event: status") }
        }
        #expect(text.contains(condition))
        for key in ["five", "six", "none", "active", "revoked", "bare", "evicted"] {
            #expect(text.contains("\"key\":\"\(key)\"") == refused.contains(key), "\(key)")
        }
    }

    @Test(
        "A request that could be misunderstood is refused",
        arguments: [
            ("state=some", 400, "it must be all"), ("store=sessions", 400, "need state=all"),
            ("stat=all", 400, "unknown parameter stat"), ("state=all", 400, "name a store: store=NAME, one of"),
            ("state=all&state=all", 400, "twice"), ("state=all&store=session", 404, "no store session"),
            ("state=all&store=numbers", 400, "allow=NAME, one of five, six"),
            ("state=all&store=numbers&allow=fife", 400, "no condition"),
            ("state=all&store=sessions&allow=active", 400, "no condition"),
            ("state=all&store=other", 400, "no field status"),
        ])
    func refused(query: String, status: Int, message: String) async throws {
        let numbers = FixedStore("numbers", [Self.snapshot("five", 1, n: 5)])
        let other = FixedStore("other", [], conditions: [])
        let context = AdminFixture.context(stores: [Self.sessions, numbers, other])
        let response = try await AdminFixture.serve(context) { address in
            try await RawClient.request(address, "/v1/revocations?\(query)")
        }
        #expect(response.status == status && response.body.contains(message), "\(response.body)")
    }

    @Test("A store that must not answer gives no state")
    func stale() async throws {
        let context = AdminFixture.context(stores: [Self.sessions], stale: "not confirmed")
        let response = try await AdminFixture.serve(context) { address in
            try await RawClient.request(address, "/v1/revocations?state=all")
        }
        #expect(response.status == 503 && response.body.contains("not confirmed"))
    }

    @Test("A large state arrives whole, and its end is the last of it")
    func large() async throws {
        let count = 20_000
        let store = FixedStore("s", (0..<count).map { Self.snapshot("k\($0)", 1, n: Int64($0 % 2 + 5)) })
        let context = AdminFixture.context(stores: [store])
        let text = try await AdminFixture.serve(context) { address in
            try await StreamClient.read(address, "/v1/revocations?state=all&allow=five") {
                $0.suffix(4000).contains("event: status")
            }
        }
        let end = try #require(text.firstRange(of: "\"complete\":true"))
        #expect(text[..<end.lowerBound].split(separator: "event: revocation\n").count - 1 == count / 2)
        #expect(!text[end.upperBound...].contains("event: revocation\n"))
    }

    @Test("Each state takes one of the places for exports until it is written")
    func places() async throws {
        let context = AdminFixture.context(stores: [Self.sessions])
        try await AdminFixture.serve(context) { address in
            await withTaskGroup(of: Void.self) { group in
                // More followers than places: each has given its place back when it gets events.
                let (begun, continuation) = AsyncStream.makeStream(of: Void.self)
                for _ in 0...AdminLimits.exports {
                    group.addTask {
                        _ = try? await StreamClient.read(address, "/v1/revocations?state=all") {
                            if $0.contains("event: status") { continuation.yield() }
                            return false
                        }
                    }
                    for await _ in begun { break }
                }
                group.cancelAll()
            }
        }
    }
}
