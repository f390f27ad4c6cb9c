import NIOCore
import NIOEmbedded
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct RedisTrackingTests {
    private static let dropAll = ">2|$10|invalidate|_|"

    private static func drop(_ keys: String...) -> String {
        ">2|$10|invalidate|*\(keys.count)|" + keys.map { "$\($0.utf8.count)|\($0)|" }.joined()
    }

    @Test(
        "A change of a key that was read is announced once, behind the reply",
        arguments: [
            "GET sessions:ds-1", "HGET sessions:ds-1 status", "HMGET sessions:ds-1 status", "HGETALL sessions:ds-1",
            "HEXISTS sessions:ds-1 x", "HLEN sessions:ds-1", "EXISTS sessions:ds-1", "MGET sessions:ds-2 sessions:ds-1",
            "TYPE sessions:ds-1", "TTL sessions:ds-1",
        ])
    func reads(line: String) throws {
        let door = try RedisDoor()
        let client = try door.connect(3, "CLIENT TRACKING ON")
        let other = try door.connect(3, "CLIENT TRACKING ON")
        let reply = try client.send(line)
        #expect(!reply.contains("invalidate"))
        door.change("ds-3", [:])
        #expect(try client.received() == "")
        door.change("ds-1", ["status": "revoked"])
        #expect(try client.received().folded == Self.drop("sessions:ds-1"))
        door.change("ds-1", nil)
        #expect(try client.received() == "")
        #expect(try other.received() == "")
    }

    @Test("A key that did not exist is remembered too, and so are the keys of conditions")
    func absent() throws {
        let door = try RedisDoor()
        let client = try door.connect(3, "CLIENT TRACKING ON", "HGETALL sessions:new")
        door.change("new", ["status": "active"])
        #expect(try client.received().folded == Self.drop("sessions:new"))
        _ = try client.send("SISMEMBER sessions:active new")
        door.change("new", ["status": "revoked"])
        #expect(try client.received().folded == Self.drop("sessions:new", "sessions:active", "sessions:user"))
    }

    @Test("With BCAST, changes of keys with the prefixes are announced whether or not they were read")
    func broadcast() throws {
        let door = try RedisDoor()
        let all = try door.connect(3, "CLIENT TRACKING ON BCAST")
        let some = try door.connect(3, "CLIENT TRACKING ON BCAST PREFIX sessions:a PREFIX sessions:b")
        let none = try door.connect(3, "CLIENT TRACKING ON BCAST PREFIX other:")
        let short = try door.connect(3, "CLIENT TRACKING ON BCAST PREFIX sess")
        for key in ["b1", "c1", "a1"] { door.inbox.snapshotChanged(key.utf8.span) }
        let conditions = ["sessions:active", "sessions:user"]
        func text(_ keys: [String]) -> String {
            ">2|$10|invalidate|*\(keys.count)|" + keys.map { "$\($0.utf8.count)|\($0)|" }.joined()
        }
        let every = ["sessions:b1", "sessions:c1", "sessions:a1"] + conditions
        #expect(try all.received().folded == text(every))
        #expect(try short.received().folded == text(every))
        #expect(try some.received().folded == text(["sessions:b1", "sessions:a1", "sessions:active"]))
        #expect(try none.received() == "")
    }

    @Test("OPTIN and OPTOUT: CLIENT CACHING applies to the next command, or to a transaction")
    func caching() throws {
        let door = try RedisDoor()
        let optIn = try door.connect(3, "CLIENT TRACKING ON OPTIN")
        _ = try optIn.send(
            "HGETALL sessions:ds-1", "CLIENT CACHING YES", "HGETALL sessions:ds-2", "HGETALL sessions:ds-3")
        for key in ["ds-1", "ds-2", "ds-3"] { door.change(key, [:]) }
        #expect(try optIn.received().folded == Self.drop("sessions:ds-2"))
        _ = try optIn.send("CLIENT CACHING YES", "MULTI", "PTTL sessions:ds-1", "HGETALL sessions:ds-1", "EXEC")
        _ = try optIn.send("HGETALL sessions:ds-2")
        for key in ["ds-1", "ds-2"] { door.change(key, [:]) }
        #expect(try optIn.received().folded == Self.drop("sessions:ds-1"))
        #expect(try optIn.send("CLIENT CACHING NO").hasPrefix("-ERR CLIENT CACHING NO is only valid"))
        let optOut = try door.connect(3, "CLIENT TRACKING ON OPTOUT")
        _ = try optOut.send("CLIENT CACHING NO", "HGETALL sessions:ds-1", "HGETALL sessions:ds-2")
        for key in ["ds-1", "ds-2"] { door.change(key, [:]) }
        #expect(try optOut.received().folded == Self.drop("sessions:ds-2"))
    }

    @Test(
        "What tracking does not support is refused",
        arguments: [
            "CLIENT TRACKING ON OPTIN OPTOUT", "CLIENT TRACKING ON BCAST OPTIN", "CLIENT TRACKING ON PREFIX a",
            "CLIENT TRACKING ON REDIRECT 7", "CLIENT TRACKING ON BCAST PREFIX", "CLIENT TRACKING ON NOTHING",
            "CLIENT TRACKING ON BCAST" + (0...RedisLimits.prefixes).map { " PREFIX \($0)" }.joined(),
        ])
    func refused(line: String) throws {
        let door = try RedisDoor()
        let client = try door.connect(3)
        #expect(try client.send(line).hasPrefix("-ERR "))
        door.change("ds-1", [:])
        #expect(try client.received() == "")
    }

    @Test(
        "Tracking ends with OFF, RESET, HELLO 2 and the connection",
        arguments: ["CLIENT TRACKING OFF", "RESET", "HELLO 2"])
    func off(line: String) throws {
        let door = try RedisDoor()
        for options in ["", " BCAST"] {
            let client = try door.connect(3, "CLIENT TRACKING ON\(options)", "HGETALL sessions:ds-1", line)
            door.change("ds-1", [:])
            door.inbox.reset()
            #expect(try client.received() == "")
            let closed = try door.connect(3, "CLIENT TRACKING ON\(options)", "HGETALL sessions:ds-1")
            closed.close()
            door.change("ds-1", [:])
            #expect(door.inbox.take().isEmpty)
        }
    }

    @Test("A fill, a gap and a reload invalidate everything, and keys that are read afterwards are remembered again")
    func reset() throws {
        let door = try RedisDoor()
        let client = try door.connect(3, "CLIENT TRACKING ON", "HGETALL sessions:ds-1")
        let broadcast = try door.connect(3, "CLIENT TRACKING ON BCAST")
        let plain = try door.connect(3)
        door.inbox.snapshotsReset()
        door.change("ds-1", [:])
        #expect(try client.received().folded == Self.dropAll)
        #expect(try broadcast.received().folded == Self.dropAll)
        #expect(try plain.received() == "")
        _ = try client.send("HGETALL sessions:ds-1")
        door.change("ds-1", nil)
        #expect(try client.received().folded == Self.drop("sessions:ds-1"))
    }

    @Test("A store that becomes stale invalidates everything at that time, once for each answer before")
    func stale() throws {
        // On a loop whose time the test advances; the check itself is the same for both shells.
        let door = try RedisDoor(shell: .channel)
        door.store.setTimeUntilStale(.milliseconds(300))
        let client = try door.connect(3, "CLIENT TRACKING ON", "HGETALL sessions:ds-1")
        door.eventLoop.advanceTime(by: .milliseconds(299))
        door.store.refuse(.stale)
        #expect(try client.received() == "")
        door.eventLoop.advanceTime(by: .milliseconds(1))
        #expect(try client.received().folded == Self.dropAll)
        for _ in 0..<5 { door.eventLoop.advanceTime(by: .seconds(1)) }
        #expect(try client.received() == "")
        // Fresh for an instant that no timer has seen.
        door.store.refuse(nil)
        door.store.setTimeUntilStale(.milliseconds(40))
        #expect(try client.send("HLEN sessions:ds-1").folded == ":2|")
        door.store.refuse(.stale)
        let refused = try client.send("HLEN sessions:ds-1").folded
        #expect(refused.hasPrefix("-STALE ") && refused.hasSuffix("|" + Self.dropAll))
        door.eventLoop.advanceTime(by: .milliseconds(40))
        #expect(try client.received().folded == Self.dropAll)
    }

    @Test("Limits of the table end in the invalidation of everything, for the connection with most keys")
    func limits() throws {
        let door = try RedisDoor(table: TrackingTable(limit: 3, totalLimit: 5))
        let client = try door.connect(3, "CLIENT TRACKING ON")
        let other = try door.connect(3, "CLIENT TRACKING ON", "HGETALL sessions:x")
        for index in 0..<3 { #expect(!(try client.send("HLEN sessions:\(index)").contains("invalidate"))) }
        #expect(try client.send("HLEN sessions:4").folded == ":0|" + Self.dropAll)
        for index in 0..<3 { #expect(!(try client.send("HLEN sessions:\(index)").contains("invalidate"))) }
        var text = ""
        for name in ["y", "z"] { text += try other.send("HGETALL sessions:\(name)") }
        text += try client.received()
        // Both have three keys.
        #expect(text.folded.split(separator: "invalidate").count == 2, "\(text)")
        #expect(text.folded.contains(Self.dropAll))
    }

    @Test("More changes than may wait become the invalidation of everything")
    func overflow() throws {
        let door = try RedisDoor()
        let client = try door.connect(3, "CLIENT TRACKING ON BCAST")
        for index in 0...RedisLimits.pendingKeys { door.inbox.snapshotChanged("\(index)".utf8.span) }
        #expect(try client.received().folded == Self.dropAll)
        door.change("ds-1", [:])
        #expect(try client.received().folded.hasPrefix(">2|$10|invalidate|*3|$13|sessions:ds-1|"))
    }

    @Test("Reads and changes on two threads never leave an old value without an invalidation")
    func race() async throws {
        let inbox = RedisInbox()
        let store = FixedRedisStore(["k": ["status": "0"]])
        inbox.setCaching(true, broadcast: false)
        let rounds = 5_000
        // A client: caches what it reads, and reads again only after an invalidation.
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for round in 1...rounds {
                    store.set("k", ["status": "\(round)"])
                    inbox.snapshotChanged("k".utf8.span)
                }
            }
            group.addTask {
                var fields = SnapshotFields()
                var cached: String?
                while cached != "\(rounds)" {
                    if !inbox.take().readers.isEmpty { cached = nil }
                    if cached == nil {
                        inbox.track("k".utf8.span, by: 1)
                        _ = store.read("k".utf8.span, &fields)
                        cached = String(decoding: fields.bytes[fields.range(0)], as: UTF8.self)
                    }
                    await Task.yield()
                }
            }
            try await group.waitForAll()
        }
    }
}
