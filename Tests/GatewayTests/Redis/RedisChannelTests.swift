import NIOCore
import NIOEmbedded
import Testing

@testable import Gateway

@Suite struct RedisChannelTests {
    private static let message = Array(#"{"key":"ds-1","entry":"1-0"}"#.utf8)

    @Test("Messages reach subscribers of the channel and of matching patterns, in both protocols", arguments: [2, 3])
    func messages(version: Int) throws {
        let door = try RedisDoor()
        let type = version == 2 ? "*" : ">"
        let channel = try door.connect(version)
        #expect(try channel.send("SUBSCRIBE revoked").folded == "\(type)3|$9|subscribe|$7|revoked|:1|")
        let pattern = try door.connect(version)
        #expect(
            try pattern.send("PSUBSCRIBE rev* x*").folded
                == "\(type)3|$10|psubscribe|$4|rev*|:1|\(type)3|$10|psubscribe|$2|x*|:2|")
        let other = try door.connect(version, "SUBSCRIBE another")
        let plain = try door.connect(version)
        door.inbox.publish([Self.message, Self.message])
        let text = "$28|{\"key\":\"ds-1\",\"entry\":\"1-0\"}|"
        let one = "\(type)3|$7|message|$7|revoked|\(text)"
        #expect(try channel.received().folded == one + one)
        let two = "\(type)4|$8|pmessage|$4|rev*|$7|revoked|\(text)"
        #expect(try pattern.received().folded == two + two)
        #expect(try other.received() + plain.received() == "")
    }

    @Test("UNSUBSCRIBE without names ends all subscriptions of its kind")
    func unsubscribe() throws {
        let door = try RedisDoor()
        let client = try door.connect(2, "SUBSCRIBE a b", "PSUBSCRIBE c")
        #expect(
            try client.send("UNSUBSCRIBE").folded == "*3|$11|unsubscribe|$1|a|:2|*3|$11|unsubscribe|$1|b|:1|")
        #expect(try client.send("UNSUBSCRIBE").folded == "*3|$11|unsubscribe|$-1|:1|")
        #expect(try client.send("PUNSUBSCRIBE c").folded == "*3|$12|punsubscribe|$1|c|:0|")
        #expect(try client.send("PING").folded == "+PONG|")
        door.inbox.publish([Self.message])
        #expect(door.inbox.take().isEmpty)
    }

    @Test("A RESP2 client with subscriptions may use only the commands that Redis allows; a RESP3 client all")
    func context() throws {
        let door = try RedisDoor()
        let two = try door.connect(2, "SUBSCRIBE revoked")
        #expect(try two.send("HGETALL sessions:ds-1").hasPrefix("-ERR Can't execute 'hgetall'"))
        #expect(try two.send("PING").folded == "*2|$4|pong|$0||")
        #expect(try two.send("PING x").folded == "*2|$4|pong|$1|x|")
        #expect(try two.send("RESET", "HLEN sessions:ds-1").folded == "+RESET|:2|")
        let three = try door.connect(3, "SUBSCRIBE revoked")
        #expect(try three.send("HLEN sessions:ds-1", "PING").folded == ":2|+PONG|")
    }

    @Test("Subscriptions have a limit, and names too")
    func limits() throws {
        let client = try RedisDoor().connect(3)
        for index in 0..<RedisLimits.subscriptions { _ = try client.send("SUBSCRIBE \(index)") }
        #expect(try client.send("PSUBSCRIBE x").hasPrefix("-ERR at most"))
        #expect(try client.send("SUBSCRIBE 0").folded == ">3|$9|subscribe|$1|0|:\(RedisLimits.subscriptions)|")
        let long = String(repeating: "x", count: RedisLimits.patternBytes + 1)
        let other = try RedisDoor().connect(3)
        #expect(try other.send("SUBSCRIBE \(long)").hasPrefix("-ERR a channel"))
    }

    @Test("Subscribers are closed if messages had to be dropped, and others are not")
    func lost() throws {
        let door = try RedisDoor()
        let subscriber = try door.connect(2, "SUBSCRIBE revoked")
        let caching = try door.connect(3, "CLIENT TRACKING ON")
        let long = [UInt8](repeating: 0x78, count: 1 << 20)
        door.inbox.publish(Array(repeating: long, count: 5))
        door.run()
        #expect(!subscriber.isOpen && caching.isOpen)
        #expect(door.metrics.all["sluice_gateway_refusals redis slow"] == 1)
    }

    @Test(
        "Patterns match as in Redis",
        arguments: [
            ("*", "", true), ("*", "abc", true), ("", "", true), ("", "a", false), ("a", "a", true), ("a", "ab", false),
            ("a*c", "abbbc", true), ("a*c", "abbb", false), ("*ab", "aab", true), ("*a*b*", "xxaxxb", true),
            ("?", "", false), ("?", "é", false), ("??", "é", true), ("h[ae]llo", "hello", true),
            ("h[ae]llo", "hillo", false), ("h[^e]llo", "hello", false), ("h[^e]llo", "hallo", true),
            ("h[a-c]llo", "hbllo", true), ("h[c-a]llo", "hbllo", true), ("h[a-c]llo", "hdllo", false),
            ("h[abc", "ha", true), ("\\*", "*", true), ("\\*", "a", false), ("[\\]]", "]", true), ("a\\", "a\\", true),
            ("**a**", "bab", true), ("[]", "a", false), ("sessions:ds-*", "sessions:ds-1", true),
        ])
    func patterns(pattern: String, text: String, matches: Bool) {
        let bytes = Array(text.utf8)
        let isMatch = GlobPattern(Array(pattern.utf8)).matches(bytes.span)
        #expect(isMatch == matches)
    }

    @Test("A pattern with many stars takes no longer than the product of the lengths")
    func stars() {
        let pattern = GlobPattern(Array(String(repeating: "a*", count: 120).utf8) + [0x62])
        let text = [UInt8](repeating: 0x61, count: 5_000)
        // With backtracking into every star this would not end.
        let isMatch = pattern.matches(text.span)
        #expect(!isMatch)
    }
}
