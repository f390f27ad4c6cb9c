import Testing

@testable import RedisClient

@Suite struct HashSlotTests {
    /// What CLUSTER KEYSLOT of Redis 7.0 answers.
    @Test(
        "A key's slot matches the server's",
        arguments: [
            ("123456789", 12739), ("foo", 12182), ("{user1000}.following", 3443), ("{user1000}.followers", 3443),
            ("foo{}{bar}", 8363), ("foo{{bar}}zap", 4015), ("foo{bar}{zap}", 5061), ("", 0), ("{}", 15257),
            ("a{b", 13340),
        ])
    func slots(key: String, slot: Int) {
        #expect(HashSlot(of: Array(key.utf8)).number == UInt16(slot), "\(key)")
    }
}

@Suite struct RedirectionTests {
    @Test(
        "Only a complete MOVED or ASK is a redirection",
        arguments: [
            ("MOVED 3999 127.0.0.1:6381", "127.0.0.1:6381"), ("ASK 0 node-1.local:7000", "node-1.local:7000"),
            ("MOVED 1 ::1:7000", "[::1]:7000"), ("MOVED 1 :7000", "10.0.0.9:7000"), ("ASK 1 ?:7000", "10.0.0.9:7000"),
            ("MOVED 16384 127.0.0.1:1", nil), ("MOVED 1 127.0.0.1:0", nil), ("MOVED 1 127.0.0.1", nil), ("MOVED", nil),
            ("ERR MOVED 1 h:1", nil), ("ASK x 127.0.0.1:1", nil), ("", nil),
        ] as [(String, String?)])
    func texts(text: String, address: String?) throws {
        let teller = RedisAddress.tcp(host: "10.0.0.9", port: 1)
        #expect(Redirection(text)?.address(toldBy: teller).description == address)
        #expect(Redirection(text)?.kind == (address == nil ? nil : text.hasPrefix("ASK") ? .ask : .moved))
    }

    @Test("Such an error reply carries the redirection and can be retried")
    func errors() {
        let error = RedisError.answer("MOVED 3999 127.0.0.1:6381", to: "XREAD")
        #expect(error.redirection?.port == 6381 && error.isTransient && error.code == .moved)
        #expect(RedisError.answer("CLUSTERDOWN Hash slot not served", to: "XREAD").redirection == nil)
    }
}
