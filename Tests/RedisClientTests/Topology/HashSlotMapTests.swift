import RESP
import Testing

@testable import RedisClient

/// Answers as servers give them.
private enum Answer {
    static func server(_ host: String?, _ port: Int64) -> RESPValue {
        .array([host.map { .bulk(Array($0.utf8)) } ?? .null, .integer(port), .bulk(Array("id".utf8)), .array([])])
    }

    static func range(_ first: Int64, _ last: Int64, _ servers: RESPValue...) -> RESPValue {
        .array([.integer(first), .integer(last)] + servers)
    }
}

@Suite struct HashSlotMapTests {
    private static let teller = RedisAddress.tcp(host: "10.0.0.9", port: 1)

    @Test("Slots map to their primaries, whose hosts may be omitted; unserved slots map to nothing")
    func reads() throws {
        let answer = RESPValue.array([
            Answer.range(0, 100, Answer.server("a", 1), Answer.server("r", 5)),
            Answer.range(200, 16383, Answer.server(nil, 2)), Answer.range(101, 101, Answer.server("", 2)),
        ])
        var map = try #require(HashSlotMap(answer, toldBy: Self.teller))
        let slots = try [0, 100, 101, 150, 16383].map { try #require(HashSlot($0)) }
        let ours = RedisAddress.tcp(host: "10.0.0.9", port: 2)
        let first = RedisAddress.tcp(host: "a", port: 1)
        #expect(slots.map { map[$0] } == [first, first, ours, nil, ours])
        #expect(map.primaries == [first, ours] && map.replicas == [.tcp(host: "r", port: 5)] && !map.isWhole)
        map.note(slots[1], at: .tcp(host: "new", port: 7))
        #expect(map[slots[1]] == .tcp(host: "new", port: 7) && map[slots[0]] == first)
    }

    @Test(
        "A malformed reply to CLUSTER SLOTS is refused",
        arguments: [
            RESPValue.null, .array([.null]), .array([.array([.integer(0)])]),
            .array([Answer.range(5, 4, Answer.server("a", 1))]),
            .array([Answer.range(0, 16384, Answer.server("a", 1))]),
            .array([Answer.range(-1, 4, Answer.server("a", 1))]), .array([Answer.range(0, 4, Answer.server("a", 0))]),
            .array([Answer.range(0, 4, .null)]),
        ])
    func wrong(answer: RESPValue) {
        #expect(HashSlotMap(answer, toldBy: Self.teller) == nil)
    }

    @Test("A cluster without slots has a map without servers")
    func empty() {
        #expect(HashSlotMap(.array([]), toldBy: Self.teller)?.primaries == [])
    }
}

@Suite struct InquiryTests {
    private static let addresses = (1...3).map { RedisAddress.tcp(host: "s", port: $0) }

    @Test("Each server is asked once, in order, and all errors are reported")
    func asks() {
        var inquiry = Inquiry(Self.addresses + [Self.addresses[0]])
        var asked: [RedisAddress] = []
        while let next = inquiry.next() {
            asked.append(next)
            inquiry.failed(next, RedisError(.connectFailed, "\(next): refused", isTransient: asked.count == 2))
        }
        #expect(asked == Self.addresses)
        let failure = inquiry.failure("nobody knows")
        #expect(failure.message == "nobody knows: s:1: refused; s:2: refused; s:3: refused" && failure.isTransient)
    }

    @Test("If a retry helps with none of the errors, the result is permanent")
    func permanent() {
        var inquiry = Inquiry(Self.addresses)
        while let next = inquiry.next() { inquiry.failed(next, RedisError(.authentication, "no", isTransient: false)) }
        let failure = inquiry.failure("x")
        #expect(!failure.isTransient && failure.code == .authentication)
    }
}

@Suite struct MasterAnswerTests {
    private func bulks(_ texts: String...) -> RESPValue { .array(texts.map { .bulk(Array($0.utf8)) }) }

    @Test("A sentinel names an address, or does not know the master")
    func sentinels() throws {
        #expect(try MasterAnswer.address(self.bulks("10.0.0.1", "6379"), of: "m") == .tcp(host: "10.0.0.1", port: 6379))
        #expect(throws: RedisError.self) { try MasterAnswer.address(.null, of: "m") }
        #expect(throws: RedisError.self) { try MasterAnswer.address(self.bulks("h", "0"), of: "m") }
        #expect(throws: RedisError.self) { try MasterAnswer.address(self.bulks("", "1"), of: "m") }
        let error = #expect(throws: RedisError.self) {
            try MasterAnswer.address(.error("ERR unknown command 'SENTINEL'"), of: "m")
        }
        #expect(error?.isTransient == false)
    }

    @Test("Only a master counts as one, and a replica may become one")
    func roles() throws {
        let address = RedisAddress.tcp(host: "h", port: 1)
        try MasterAnswer.confirm(self.bulks("master", "0"), by: address)
        let error = #expect(throws: RedisError.self) { try MasterAnswer.confirm(self.bulks("slave"), by: address) }
        #expect(error?.isTransient == true)
        let refused = #expect(throws: RedisError.self) {
            try MasterAnswer.confirm(.error("NOPERM no role"), by: address)
        }
        #expect(refused?.isTransient == false)
    }
}
