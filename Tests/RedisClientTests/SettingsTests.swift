import StageKit
import StageTestKit
import Testing

@testable import RedisClient

@Suite struct RedisAddressTests {
    @Test(
        "Each form of an address is read",
        arguments: [
            ("127.0.0.1:6379", RedisAddress.tcp(host: "127.0.0.1", port: 6379)),
            ("redis.example:1", .tcp(host: "redis.example", port: 1)),
            (":65535", .tcp(host: "localhost", port: 65535)),
            ("[::1]:6379", .tcp(host: "::1", port: 6379)),
            ("  a:2 ", .tcp(host: "a", port: 2)),
            ("/run/redis.sock", .unix(path: "/run/redis.sock")),
            ("unix:/run/redis.sock", .unix(path: "/run/redis.sock")),
        ])
    func accepted(text: String, address: RedisAddress) throws {
        #expect(try RedisAddress(text) == address)
        #expect(try RedisAddress(address.description) == address)
    }

    @Test(
        "An invalid address is refused with the expected form",
        arguments: [
            ("", "must not be blank"), (" \t", "must not be blank"), ("localhost", "has no port"),
            ("a:0", "from 1 to 65535"), ("a:65536", "from 1 to 65535"), ("a:", "from 1 to 65535"),
            ("a:+1", "from 1 to 65535"), ("a:-1", "from 1 to 65535"), ("::1:6379", "in brackets"),
            ("[::1]", "has no port"), ("[a]:1", "IPv6 address in brackets"), ("redis://a:1", "not a URL"),
            ("a b:1", "is not a host name"), ("unix:run/a", "must begin with /"),
            ("/" + String(repeating: "a", count: 107), "at most 107 bytes"),
        ])
    func refused(text: String, reason: String) {
        let refusal = #expect(throws: SettingRefusal.self) { try RedisAddress(text) }
        #expect(refusal?.message.contains(reason) == true, "\(refusal?.message ?? "")")
    }
}

@Suite struct RedisSettingsTests {
    @Test("A section with nothing but an address has the documented defaults")
    func defaults() throws {
        let (value, issues) = RedisSettings.type.decoded(.lines([("address", "a:1")]))
        let settings = try #require(value)
        #expect(issues.isEmpty)
        #expect(settings == RedisSettings(address: .tcp(host: "a", port: 1)))
        #expect(settings.timeout == .milliseconds(250))
        #expect(settings.connectTimeout == .seconds(2))
        #expect(settings.tls == nil && settings.database == 0 && settings.password == nil)
    }

    @Test("Everything given is read")
    func everything() throws {
        let tls = SettingNode.lines([("ca_file", "/ca.pem"), ("server_name", "redis.example")])
        let (value, issues) = RedisSettings.type.decoded(
            .lines([
                ("address", "a:1"), ("username", "u"), ("password", "p"),
                ("database", "3"), ("tls", tls), ("timeout", "1s"),
                ("connect_timeout", "5s"),
            ]))
        #expect(issues.isEmpty)
        let settings = try #require(value)
        #expect(settings.username == "u" && settings.password == Secret("p") && settings.database == 3)
        #expect(settings.tls?.caFile == "/ca.pem" && settings.tls?.serverName == "redis.example")
        #expect(settings.timeout == .seconds(1) && settings.connectTimeout == .seconds(5))
    }

    @Test("An empty user or password, as from an unset variable, counts as none")
    func empty() throws {
        let (value, issues) = RedisSettings.type.decoded(
            .lines([("address", "a:1"), ("username", ""), ("password", "")]))
        #expect(issues.isEmpty)
        #expect(value == RedisSettings(address: .tcp(host: "a", port: 1)))
    }

    @Test(
        "Contradictory settings are errors with their position",
        arguments: [
            ([("username", "u")], "2: username without password"),
            ([("password", "p"), ("password_file", "/p")], "3: password and password_file are both given"),
            ([("database", "-1")], "2: database: -1 is out of range"),
            ([("timeout", "0ms")], "2: timeout: 0ms is too short"),
            ([("connect_timeout", "-1s")], "2: connect_timeout: -1s is too short"),
            ([("tls", "maybe")], "2: tls: expected true or false"),
            ([("pasword", "p")], "2: unknown setting \"pasword\" (did you mean password?)"),
        ])
    func contradictions(entries: [(String, String)], message: String) {
        let (value, issues) = RedisSettings.type.decoded(
            .lines(entries.map { ($0.0, SettingNode.text($0.1)) } + [("address", SettingNode.text("a:1"))]))
        #expect(value == nil)
        #expect(issues.contains { $0.hasPrefix(message) }, "\(issues)")
    }

    @Test("A client certificate needs its key, and a Unix socket does not support TLS")
    func tls() {
        let half = SettingNode.lines([("certificate_file", "/c.pem")])
        let (_, issues) = RedisSettings.type.decoded(.lines([("address", "a:1"), ("tls", half)]))
        #expect(issues == ["3: tls: certificate_file and key_file must be given together"])
        let (_, unix) = RedisSettings.type.decoded(.lines([("address", "/s"), ("tls", "true")]))
        #expect(unix == ["3: a Unix socket does not support TLS: set tls to false"])
    }

    @Test("No description or dump of the settings shows the password")
    func secret() {
        var settings = RedisSettings(address: .tcp(host: "a", port: 1))
        settings.password = Secret("hunter2")
        var dumped = ""
        dump(settings, to: &dumped)
        #expect(!"\(settings)".contains("hunter2"))
        #expect(!String(reflecting: settings).contains("hunter2"))
        #expect(!dumped.contains("hunter2"))
    }
}
