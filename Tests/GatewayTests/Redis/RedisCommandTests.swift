import NIOCore
import NIOEmbedded
import Testing

@testable import Gateway

@Suite struct RedisCommandTests {
    @Test(
        "Sessions are read in both protocols",
        arguments: [
            (
                "HGETALL sessions:ds-1", "*4|$6|status|$6|active|$7|user_id|$5|alice|",
                "%2|$6|status|$6|active|$7|user_id|$5|alice|"
            ),
            ("HGETALL sessions:none", "*0|", "%0|"),
            ("HGETALL other:ds-1", "*0|", "%0|"),
            ("HGETALL sessions", "*0|", "%0|"),
            ("hget sessions:ds-1 user_id", "$5|alice|", "$5|alice|"),
            ("HGET sessions:ds-2 user_id", "$0||", "$0||"),
            ("HGET sessions:ds-1 nothing", "$-1|", "_|"),
            ("HGET sessions:ds-1 ", "$-1|", "_|"),
            ("HGET sessions:none status", "$-1|", "_|"),
            ("HMGET sessions:ds-1 user_id x status", "*3|$5|alice|$-1|$6|active|", "*3|$5|alice|_|$6|active|"),
            ("HMGET sessions:none a b", "*2|$-1|$-1|", "*2|_|_|"),
            ("HEXISTS sessions:ds-1 status", ":1|", ":1|"),
            ("HEXISTS sessions:ds-1 x", ":0|", ":0|"),
            ("HLEN sessions:ds-1", ":2|", ":2|"),
            ("HLEN sessions:none", ":0|", ":0|"),
            ("EXISTS sessions:ds-1 sessions:none sessions:ds-2 sessions:ds-1", ":3|", ":3|"),
            ("GET sessions:ds-1", "$19|{\"status\":\"active\"}|", "$19|{\"status\":\"active\"}|"),
            ("GET sessions:none", "$-1|", "_|"),
            (
                "MGET sessions:none sessions:ds-2", "*2|$-1|$20|{\"status\":\"revoked\"}|",
                "*2|_|$20|{\"status\":\"revoked\"}|"
            ),
            ("TYPE sessions:ds-1", "+hash|", "+hash|"),
            ("TYPE sessions:none", "+none|", "+none|"),
            ("TYPE sessions:active", "+set|", "+set|"),
            ("TTL sessions:ds-1", ":-1|", ":-1|"),
            ("PTTL sessions:none", ":-2|", ":-2|"),
            ("EXISTS sessions:", ":1|", ":1|"),
            ("TYPE sessions:", "+string|", "+string|"),
            ("GET sessions:", "$22|{\"sluice\":\"heartbeat\"}|", "$22|{\"sluice\":\"heartbeat\"}|"),
            ("SISMEMBER sessions:active ds-1", ":1|", ":1|"),
            ("SISMEMBER sessions:active ds-2", ":0|", ":0|"),
            ("SISMEMBER sessions:active none", ":0|", ":0|"),
            ("SMISMEMBER sessions:user ds-1 ds-2 none", "*3|:1|:0|:0|", "*3|:1|:0|:0|"),
            (
                "SCAN 0", "*2|$1|0|*2|$13|sessions:ds-1|$13|sessions:ds-2|",
                "*2|$1|0|*2|$13|sessions:ds-1|$13|sessions:ds-2|"
            ),
            ("SCAN 0 COUNT 1", "*2|$1|1|*1|$13|sessions:ds-1|", "*2|$1|1|*1|$13|sessions:ds-1|"),
            ("SCAN 1 COUNT 1", "*2|$1|0|*1|$13|sessions:ds-2|", "*2|$1|0|*1|$13|sessions:ds-2|"),
            ("SCAN 0 MATCH sessions:*-2", "*2|$1|0|*1|$13|sessions:ds-2|", "*2|$1|0|*1|$13|sessions:ds-2|"),
            ("SCAN 0 MATCH ds-* TYPE hash", "*2|$1|0|*0|", "*2|$1|0|*0|"),
            ("SCAN 0 TYPE string", "*2|$1|0|*0|", "*2|$1|0|*0|"),
        ])
    func reads(line: String, two: String, three: String) throws {
        let door = try RedisDoor()
        #expect(try door.connect(2).send(line).folded == two)
        #expect(try door.connect(3).send(line).folded == three)
    }

    @Test(
        "Commands about the connection are answered as Redis does",
        arguments: [
            ("PING", "+PONG|"), ("PING hello", "$5|hello|"), ("ECHO x", "$1|x|"), ("SELECT 0", "+OK|"),
            ("CLIENT SETNAME app", "+OK|"), ("CLIENT GETNAME", "$-1|"), ("CLIENT SETINFO LIB-NAME redis-py", "+OK|"),
            ("CLIENT SETINFO lib-ver 5.0", "+OK|"), ("CLIENT NO-EVICT on", "+OK|"), ("CLIENT ID", ":1|"),
            ("COMMAND COUNT", ":\(RedisCommand.allCases.count)|"), ("RESET", "+RESET|"), ("QUIT", "+OK|"),
            ("COMMAND INFO get nothing", "*2|*6|$3|get|:2|*2|+readonly|+fast|:1|:1|:1|$-1|"),
            (
                "COMMAND DOCS ttl",
                "*2|$3|ttl|*6|$7|summary|$35|Returns -1: sessions do not expire.|$5|since|$5|1.0.0|$5|group|$7|generic|"
            ),
        ])
    func connection(line: String, expected: String) throws {
        #expect(try RedisDoor().connect(2).send(line).folded == expected)
    }

    @Test(
        "A request that cannot be answered gets an error that begins with its code",
        arguments: [
            ("SET sessions:ds-1 x", "-READONLY "), ("DEL sessions:ds-1", "-READONLY "), ("flushall", "-READONLY "),
            ("HSET sessions:ds-1 a b", "-READONLY "), ("PUBLISH c m", "-READONLY "),
            ("EVAL x 0", "-ERR unknown command"),
            ("NOTHING", "-ERR unknown command 'NOTHING'"), ("GET", "-ERR wrong number of arguments for 'get' command"),
            ("HGETALL a b", "-ERR wrong number"), ("PING a b", "-ERR wrong number"), ("SELECT 1", "-ERR DB index"),
            ("SELECT x", "-ERR DB index"), ("SCAN x", "-ERR invalid cursor"), ("SCAN 0 COUNT", "-ERR syntax"),
            ("SCAN 0 COUNT 0", "-ERR syntax"), ("SCAN 0 COUNT x", "-ERR value is not an integer"),
            ("SCAN -1", "-ERR invalid cursor"), ("SISMEMBER sessions:activ ds-1", "-ERR no such condition"),
            ("SISMEMBER active ds-1", "-ERR no such condition"), ("CLIENT NOTHING", "-ERR unknown subcommand"),
            ("CLIENT SETNAME a\nb", "-ERR Client names"), ("CLIENT CACHING YES", "-ERR CLIENT CACHING"),
            ("CLIENT TRACKING ON", "-ERR Client tracking can be enabled only in RESP3"),
            ("CLIENT TRACKING ON REDIRECT 1", "-ERR REDIRECT is not supported"),
            ("CLIENT TRACKING MAYBE", "-ERR syntax"), ("HELLO 4", "-NOPROTO"), ("HELLO x", "-NOPROTO"),
            ("HELLO 3 AUTH x", "-ERR Syntax error in HELLO"), ("AUTH x", "-ERR AUTH <password> called without"),
            ("EXEC", "-ERR EXEC without MULTI"), ("DISCARD", "-ERR DISCARD without MULTI"),
        ])
    func errors(line: String, start: String) throws {
        let client = try RedisDoor().connect(2)
        let answer = try client.send(line)
        #expect(answer.hasPrefix(start), "\(answer)")
        #expect(answer.hasSuffix("\r\n") && answer.dropLast().allSatisfy { $0 != "\r\n" && $0 != "\n" })
        #expect(try client.send("PING").folded == "+PONG|")
    }

    @Test("A store that must not answer refuses every read, and nothing else", arguments: [true, false])
    func refusals(isFilling: Bool) throws {
        let door = try RedisDoor()
        let client = try door.connect(3)
        door.store.refuse(isFilling ? .filling : .stale)
        let reads = [
            "GET sessions:ds-1", "HGET sessions:ds-1 status", "HMGET sessions:ds-1 status", "HGETALL sessions:ds-1",
            "HGETALL other", "HEXISTS sessions:ds-1 status", "HLEN sessions:ds-1", "EXISTS sessions:ds-1 sessions:ds-2",
            "EXISTS sessions:", "MGET sessions:ds-1", "TYPE sessions:ds-1", "TTL sessions:ds-1", "SCAN 0",
            "SISMEMBER sessions:active ds-1", "SMISMEMBER sessions:active ds-1 ds-2", "GET sessions:",
        ]
        for read in reads {
            let answer = try client.send(read)
            #expect(answer.hasPrefix(isFilling ? "-LOADING " : "-STALE "), "\(read): \(answer)")
            #expect(answer.split(separator: "\r\n").count == 1, "\(read): \(answer)")
        }
        #expect(try client.send("PING").folded == "+PONG|")
        #expect(try client.send("INFO").contains(isFilling ? "loading:1\r\n" : "state:stale\r\n"))
        door.store.refuse(nil)
        #expect(try client.send("HLEN sessions:ds-1").folded == ":2|")
        #expect(door.metrics.all["sluice_gateway_decisions redis stale"] == 2)
    }

    @Test("HELLO names Sluice, and the protocol lasts until the next HELLO or RESET")
    func hello() throws {
        let client = try RedisDoor().connect()
        let two = try client.send("HELLO")
        #expect(two.hasPrefix("*16\r\n") && two.folded.contains("$6|sluice|$5|1.2.3|"))
        let three = try client.send("HELLO 3 SETNAME app")
        #expect(three.hasPrefix("%8\r\n") && three.folded.contains("$5|proto|:3|"))
        #expect(try client.send("CLIENT GETNAME").folded == "$3|app|")
        #expect(try client.send("GET sessions:none").folded == "_|")
        #expect(try client.send("HELLO 2").hasPrefix("*16\r\n"))
        #expect(try client.send("GET sessions:none").folded == "$-1|")
        _ = try client.send("HELLO 3")
        #expect(try client.send("RESET", "GET sessions:none", "CLIENT GETNAME").folded == "+RESET|$-1|$-1|")
    }

    @Test("INFO names Sluice and shows the store")
    func info() throws {
        let client = try RedisDoor().connect(2)
        let text = try client.send("INFO")
        for line in [
            "server_name:sluice", "sluice_version:1.2.3", "store:sessions", "state:fresh", "loading:0",
            "db0:keys=2,expires=0,avg_ttl=0",
        ] {
            #expect(text.contains("\(line)\r\n"), "\(line)")
        }
        _ = try client.send("HELLO 3")
        #expect(try client.send("INFO").contains("\r\ntxt:# Server\r\n"))
    }

    @Test("MULTI collects reads; EXEC answers all of them, or none after an error")
    func transactions() throws {
        let door = try RedisDoor()
        let client = try door.connect(2)
        let lines = ["MULTI", "GET sessions:", "HGET sessions:ds-1 status", "PING", "EXEC"]
        #expect(
            try client.send(RedisText.requests(lines)).folded
                == "+OK|+QUEUED|+QUEUED|+QUEUED|*3|$22|{\"sluice\":\"heartbeat\"}|$6|active|+PONG|")
        #expect(try client.send("MULTI", "HGET x", "EXEC").contains("-EXECABORT "))
        #expect(try client.send("MULTI", "SUBSCRIBE x", "EXEC").contains("-EXECABORT "))
        let long = "MGET " + Array(repeating: String(repeating: "k", count: 60_000), count: 10).joined(separator: " ")
        #expect(try client.send("MULTI", long, long, "EXEC").contains("-ERR more than 1048576 bytes inside MULTI"))
        #expect(try client.send("MULTI", "PING", "DISCARD", "PING").folded == "+OK|+QUEUED|+OK|+PONG|")
        #expect(try client.send("MULTI", "MULTI", "EXEC").folded == "+OK|-ERR MULTI calls can not be nested|*0|")
        door.store.refuse(.stale)
        let stale = try client.send("MULTI", "GET sessions:", "HGETALL sessions:ds-1", "EXEC")
        #expect(stale.folded.hasPrefix("+OK|+QUEUED|+QUEUED|*2|-STALE ") && !stale.contains("alice"))
    }

    @Test("Decisions and commands are counted")
    func counts() throws {
        let door = try RedisDoor()
        let client = try door.connect(2)
        _ = try client.send("SMISMEMBER sessions:active ds-1 ds-2 none", "SISMEMBER sessions:active ds-1")
        _ = try client.send("HGETALL sessions:ds-1")
        #expect(
            door.metrics.all == [
                "sluice_gateway_decisions redis allowed": 2, "sluice_gateway_decisions redis refused": 1,
                "sluice_gateway_decisions redis absent": 1, "sluice_gateway_commands redis": 3,
            ])
    }
}

@Suite struct RedisPasswordTests {
    private static let password = "correct-horse-battery"

    @Test(
        "Without the password, nothing is read",
        arguments: [
            "GET sessions:ds-1", "PING", "SCAN 0", "INFO", "COMMAND", "CLIENT ID", "SUBSCRIBE revoked", "MULTI",
            "HELLO 3", "HELLO", "SET a b", "NOTHING", "SISMEMBER sessions:active ds-1",
        ])
    func required(line: String) throws {
        let door = try RedisDoor(password: Self.password)
        let answer = try door.connect(2).send(line)
        #expect(answer.hasPrefix("-NOAUTH ") && answer.split(separator: "\r\n").count == 1, "\(answer)")
        #expect(door.metrics.all["sluice_gateway_refusals redis unauthorized"] == 1)
    }

    @Test(
        "The password lets a connection in, and nothing else does",
        arguments: [
            ("AUTH correct-horse-battery", true), ("AUTH default correct-horse-battery", true),
            ("HELLO 3 AUTH default correct-horse-battery", true), ("AUTH correct-horse-batterx", false),
            ("AUTH correct-horse-batter", false), ("AUTH correct-horse-battery2", false), ("AUTH ", false),
            ("AUTH other correct-horse-battery", false), ("HELLO 3 AUTH other correct-horse-battery", false),
            ("AUTH default correct-horse-battery x", false),
        ])
    func passwords(line: String, isRight: Bool) throws {
        let client = try RedisDoor(password: Self.password).connect(2)
        let answer = try client.send(line)
        #expect(answer.hasPrefix("-") != isRight, "\(answer)")
        #expect(try client.send("PING").folded == (isRight ? "+PONG|" : "-NOAUTH Authentication required.|"))
        #expect(try client.send("RESET", "PING").folded == "+RESET|-NOAUTH Authentication required.|")
    }

    @Test("A connection with too many wrong passwords is closed; a new password applies to new connections")
    func attempts() throws {
        let door = try RedisDoor(password: Self.password)
        let client = try door.connect(2)
        for _ in 1..<RedisLimits.passwords { #expect(try client.send("AUTH wrong").hasPrefix("-WRONGPASS ")) }
        #expect(client.isOpen)
        _ = try client.send("AUTH wrong", "AUTH \(Self.password)")
        #expect(!client.isOpen)
        let known = try door.connect(2, "AUTH \(Self.password)")
        door.parts.setPassword(Array("another-long-password".utf8))
        #expect(try known.send("PING").folded == "+PONG|")
        let other = try door.connect(2)
        #expect(try other.send("AUTH \(Self.password)").hasPrefix("-WRONGPASS "))
        #expect(try other.send("AUTH another-long-password").folded == "+OK|")
    }
}
