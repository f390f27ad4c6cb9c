import StageKit
import Synchronization
import Testing

@testable import Admin

@Suite(.timeLimit(.minutes(10))) struct StreamTests {
    private func revoke(_ log: RevocationLog, _ keys: String...) {
        var batch = RevocationLog.Batch()
        for key in keys { batch.add(key.utf8.span, EntryID(milliseconds: 9, sequence: 1)) }
        log.append(batch)
    }

    @Test("The live stream sends a document immediately and one per second")
    func live() async throws {
        let count = Atomic<Int>(0)
        var context = AdminFixture.context()
        context.live = { "{\"n\":\(count.wrappingAdd(1, ordering: .relaxed).newValue)}" }
        let text = try await AdminFixture.serve(context) { address in
            try await StreamClient.read(address, "/v1/live") { $0.contains("\"n\":2") }
        }
        #expect(text.contains("content-type: text/event-stream") || text.contains("Content-Type: text/event-stream"))
        #expect(text.contains("event: state\ndata: {\"n\":1}\n\n"))
    }

    @Test("A shutdown ends streams")
    func shutdown() async throws {
        let answer = try await withThrowingTaskGroup(of: String.self) { group in
            let (begun, continuation) = AsyncStream.makeStream(of: Void.self)
            try await AdminFixture.serve(AdminFixture.context()) { address in
                group.addTask {
                    try await StreamClient.read(address, "/v1/revocations") {
                        if $0.contains("event: status") { continuation.yield() }
                        return false
                    }
                }
                for await _ in begun { break }
            }
            return try await group.next() ?? ""
        }
        #expect(answer.contains("event: hello"))
    }

    @Test("Streams beyond the limit are refused, and a stream that ends makes room")
    func limit() async throws {
        try await AdminFixture.serve(AdminFixture.context()) { address in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let (begun, continuation) = AsyncStream.makeStream(of: Int.self)
                for stream in 0..<AdminLimits.tapStreams {
                    group.addTask {
                        _ = try await StreamClient.read(address, "/v1/tap") { _ in
                            continuation.yield(stream)
                            return false
                        }
                    }
                }
                // One may send several pieces before another has begun.
                var open: Set<Int> = []
                for await stream in begun {
                    open.insert(stream)
                    if open.count == AdminLimits.tapStreams { break }
                }
                let refused = try await RawClient.request(address, "/v1/tap")
                #expect(refused.status == 503)
                #expect(refused.body.contains("\"busy\""))
                let other = try await StreamClient.read(address, "/v1/live") { $0.contains("event: state") }
                #expect(other.contains("200 OK"))
                group.cancelAll()
            }
            // Noticed at the latest when a comment cannot be written.
            var status = 503
            while status == 503 {
                let text = try await StreamClient.read(address, "/v1/tap") { $0.contains("\r\n\r\n") }
                status = text.contains("200 OK") ? 200 : 503
                if status == 503 { try await Task.sleep(for: .milliseconds(100)) }
            }
            #expect(status == 200)
        }
    }

    @Test("A follower that reconnects with its last id misses no revocation")
    func resume() async throws {
        let context = AdminFixture.context()
        let log = context.revocations
        try await AdminFixture.serve(context) { address in
            let first = try await StreamClient.read(address, "/v1/revocations") { text in
                if text.contains("event: status"), log.total == 0 { self.revoke(log, "a", "b\"\n") }
                return text.contains("b\\\"")
            }
            #expect(first.contains("event: hello\nid: \(log.run)-0\n"))
            #expect(
                first.contains("event: revocation\nid: \(log.run)-1\ndata: {\"key\":\"a\",\"entry\":\"9-1\"}\n\n"))
            #expect(first.contains("data: {\"ready\":true,\"reasons\":[]}"))
            self.revoke(log, "c")
            let second = try await StreamClient.read(
                address, "/v1/revocations", headers: ["Last-Event-ID: \(log.run)-2"]
            ) { $0.contains("\"key\":\"c\"") }
            #expect(second.contains("id: \(log.run)-3"))
            #expect(!second.contains("\"key\":\"a\""))
            #expect(!second.contains("event: gap"))
        }
    }

    @Test("A follower gets evictions and resets with names and reasons, and resumes after them")
    func kinds() async throws {
        let context = AdminFixture.context()
        let log = context.revocations
        var batch = RevocationLog.Batch()
        let entry = EntryID(milliseconds: 9, sequence: 1)
        batch.add("a".utf8.span, entry, .eviction(reason: "malformed_event"))
        batch.add([UInt8]().span, .zero, .reset(store: "sessions", reason: "trimmed"))
        batch.add("b".utf8.span, entry)
        log.append(batch)
        let expected = [
            "event: eviction\nid: \(log.run)-1\n"
                + "data: {\"key\":\"a\",\"entry\":\"9-1\",\"reason\":\"malformed_event\"}\n\n",
            "event: reset\nid: \(log.run)-2\n"
                + "data: {\"key\":\"\",\"entry\":\"0-0\",\"store\":\"sessions\",\"reason\":\"trimmed\"}\n\n",
            "event: revocation\nid: \(log.run)-3\ndata: {\"key\":\"b\",\"entry\":\"9-1\"}\n\n",
        ]
        try await AdminFixture.serve(context) { address in
            for seen in 0...2 {
                let text = try await StreamClient.read(
                    address, "/v1/revocations", headers: ["Last-Event-ID: \(log.run)-\(seen)"]
                ) { $0.contains("event: status") }
                for (index, event) in expected.enumerated() { #expect(text.contains(event) == (index >= seen)) }
            }
        }
    }

    @Test(
        "A follower with an id of another run, or an unknown id, gets a gap",
        arguments: ["other-1", "-1", "RUN-99"])
    func restarted(id: String) async throws {
        let context = AdminFixture.context()
        let id = id.replacing("RUN", with: context.revocations.run)
        let text = try await AdminFixture.serve(context) { address in
            try await StreamClient.read(address, "/v1/revocations", headers: ["Last-Event-ID: \(id)"]) {
                $0.contains("event: status")
            }
        }
        #expect(text.contains("event: gap\nid: \(context.revocations.run)-0\ndata: {\"reason\":\"restarted\"}\n\n"))
    }

    @Test("An invalid id is refused", arguments: ["1", "a-b", "a-1-2"])
    func wrongID(id: String) async throws {
        let text = try await AdminFixture.serve(AdminFixture.context()) { address in
            try await StreamClient.read(
                address, "/v1/revocations", headers: ["Last-Event-ID: \(id)", "Connection: close"]
            ) { _ in false }
        }
        #expect(text.contains("400 Bad Request"))
    }

    @Test("A tap gets its watcher's events and the number of missed ones")
    func tap() async throws {
        let context = AdminFixture.context()
        let isHanded = Atomic(false)
        let text = try await AdminFixture.serve(context) { address in
            try await StreamClient.read(address, "/v1/tap?stage=a%20b&key=%C3%A9&outcome=dropped") { text in
                if let watcher = context.taps.watchers.first, !isHanded.exchange(true, ordering: .relaxed) {
                    #expect(watcher.filter == .init(stage: "a b", outcome: "dropped", key: Array("é".utf8)))
                    watcher.take(["{\"entry\":\"1-1\"}"], missed: 3)
                }
                return text.contains("missed")
            }
        }
        #expect(text.contains("event: event\ndata: {\"entry\":\"1-1\"}\n\nevent: missed\ndata: {\"events\":3}\n\n"))
    }

    @Test("A watcher without a reader is bounded by its queue and rate")
    func bounds() {
        let moment = ContinuousClock.now
        let second = Atomic(0)
        let watcher = TapWatcher(.init()) { moment + .seconds(second.load(ordering: .relaxed)) }
        #expect(watcher.room == AdminLimits.tapQueue)
        watcher.take(Array(repeating: "x", count: 5000), missed: 1)
        #expect(watcher.room == 0)
        let (lines, missed) = watcher.drain()
        #expect(lines.count == AdminLimits.tapQueue)
        #expect(missed == UInt64(5000 - AdminLimits.tapQueue + 1))
        // 5,000 in no time are more than a second's worth; what is owed is paid with time.
        #expect(watcher.room == 0)
        second.store(60, ordering: .relaxed)
        #expect(watcher.room == min(AdminLimits.tapQueue, AdminLimits.tapEventsASecond))
    }
}
