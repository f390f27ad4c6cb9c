import ComponentKit
import Documentation
import RESP
import RedisClient
import StageKit
import Testing

@testable import PipelineChecks

@Suite struct ServerAnswersTests {
    private static func settings(_ address: String = "redis.example:6379") throws -> RedisSettings {
        RedisSettings(address: try RedisAddress(address))
    }

    @Test(
        "A failed connection is reported at the failing step, after the steps that passed",
        arguments: [
            (RedisError.Code.connectFailed, ["network": "bad"]), (.timedOut, ["network": "bad"]),
            (.unavailable, ["network": "bad"]), (.tls, ["network": "good", "encryption": "bad"]),
            (.authentication, ["network": "good", "encryption": "warning", "login": "bad"]),
            (.permission, ["network": "good", "encryption": "warning", "login": "bad"]),
            (.badSettings, ["network": "good", "encryption": "warning", "login": "bad"]),
        ])
    func refused(code: RedisError.Code, verdicts: [String: String]) throws {
        let steps = ServerAnswers.refused(RedisError(code, "words", isTransient: true), try Self.settings())
        #expect(Dictionary(uniqueKeysWithValues: steps.map { ($0.name, $0.verdict.rawValue) }) == verdicts)
        #expect(steps.last?.finding == "words")
        #expect(!CheckReport(file: "f", steps: steps).isGood)
    }

    @Test(
        "A server that may evict needed keys is a warning with advice; an unreported policy is unknown",
        arguments: [
            ("noeviction", 100, "good", "good"), ("allkeys-lru", 0, "good", "good"),
            ("volatile-ttl", 100, "good", "warning"), ("allkeys-lfu", 100, "warning", "warning"),
        ])
    func memory(name: String, limit: Int, stream: String, store: String) throws {
        let information = Self.text("# Memory\r\nmaxmemory:\(limit)\r\nmaxmemory_policy:\(name)\r\n")
        let policy = try #require(MemoryPolicy(information: information))
        #expect(policy == MemoryPolicy(name: name, limit: limit))
        let settings = RESPValue.array([Self.text("maxmemory-policy"), Self.text(name)])
        #expect(
            policy == MemoryPolicy(policy: settings, limit: .array([Self.text("maxmemory"), Self.text("\(limit)")])))
        for (use, verdict) in [(MemoryPolicy.Use.stream, stream), (.store, store)] {
            let step = MemoryPolicy.step("memory", policy, of: use)
            #expect(step.verdict.rawValue == verdict && (step.advice != nil) == (verdict == "warning"), "\(step)")
        }
        #expect(MemoryPolicy(information: Self.text("redis_version:7.0.0")) == nil)
        #expect(MemoryPolicy.step("memory", nil, of: .store).verdict == .unknown)
    }

    private static func text(_ text: String) -> RESPValue { .bulk(Array(text.utf8)) }

    @Test("A password in plaintext over a network is a warning, one that stays on the machine is not")
    func encryption() throws {
        var settings = try Self.settings()
        settings.password = Secret("p")
        #expect(ServerAnswers.encryption(settings).finding.contains("password"))
        settings.tls = TLSSettings()
        #expect(ServerAnswers.encryption(settings).verdict == .good)
        for here in ["127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/s"] {
            #expect(try ServerAnswers.encryption(Self.settings(here)).verdict == .good)
        }
    }

    @Test("Version, mode and role are reported; a server without streams and a replica are pointed out")
    func server() {
        func step(_ text: String) -> CheckStep { ServerAnswers.server(.bulk(Array(text.utf8))) }
        let good = step("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n# Replication\r\nrole:master\r\n")
        #expect(good == CheckStep("server", .good, "Redis 7.0.15, standalone, master"))
        #expect(step("redis_version:4.0.9\r\n").verdict == .bad)
        #expect(step("redis_version:7.2.0\r\nrole:slave\r\n").verdict == .warning)
        #expect(ServerAnswers.server(nil).verdict == .unknown)
        #expect(step("server_name:valkey\r\n").verdict == .unknown)
        let old = ServerAnswers.server(Self.text("redis_version:6.0.9\r\n"), isShared: true)
        #expect(old.verdict == .bad && old.finding == "Redis 6.0.9")
        let replica = RESPValue.array(["server", "redis", "version", "7.0.1", "role", "replica"].map(Self.text))
        #expect(ServerAnswers.server(nil, hello: replica).verdict == .warning)
    }

    @Test(
        "A server's name is taken from INFO or, without that permission, from HELLO",
        arguments: [
            (
                "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.3\r\nserver_mode:cluster\r\nrole:master",
                ["server", "valkey", "version", "8.1.3"], "Valkey 8.1.3 (redis_version 7.2.4), cluster, master"
            ),
            (
                nil, ["server", "valkey", "version", "9.1.2", "mode", "standalone", "role", "master"],
                "Valkey 9.1.2, standalone, master"
            ),
            (
                nil, ["server", "redis", "version", "8.0.2", "mode", "sentinel", "role", "master"],
                "Redis 8.0.2, sentinel, master"
            ),
            (
                "redis_version:6.3.4\nredis_mode:standalone", ["server", "keydb", "version", "6.3.4"],
                "KeyDB 6.3.4 (redis_version 6.3.4), standalone"
            ),
            (
                "redis_version:7.4.0\ndragonfly_version:df-v1.27.1\nredis_mode:standalone", nil,
                "Dragonfly df-v1.27.1 (redis_version 7.4.0), standalone"
            ),
            (
                "redis_version:7.4.0\ngcc_version:14.2.0", ["server", "Some Cache", "version", "3"],
                "Some Cache 3 (redis_version 7.4.0)"
            ),
            (
                "server_name:other\nredis_version:7.2.0\nother_version:1\u{1B}[31m", nil,
                "other 1?[31m (redis_version 7.2.0)"
            ),
            (
                "server_name:other\nredis_version:7.2.0", ["server", "redis", "version", "7.2.0"],
                "other (redis_version 7.2.0)"
            ),
        ] as [(String?, [String]?, String)])
    func product(information: String?, hello: [String]?, finding: String) {
        let step = ServerAnswers.server(
            information.map(Self.text), hello: hello.map { .array($0.map(Self.text)) }, isShared: true)
        #expect(step == CheckStep("server", .good, finding))
    }

    @Test("The content of a stream is reported, or the reason why it is unknown")
    func stream() {
        func text(_ text: String) -> RESPValue { .bulk(Array(text.utf8)) }
        let empty = RESPValue.array([text("length"), .integer(0), text("last-generated-id"), text("9-1")])
        #expect(
            ServerAnswers.stream("s", type: text("stream"), information: empty).finding
                == "s is empty, its last id was 9-1")
        #expect(ServerAnswers.stream("s", type: text("stream"), information: nil).verdict == .unknown)
        #expect(ServerAnswers.stream("s", type: text("hash"), information: nil).verdict == .bad)
        #expect(ServerAnswers.stream("s", type: text("none"), information: nil).verdict == .warning)
        #expect(ServerAnswers.stream("s", type: nil, information: .array([])).verdict == .good)
        let unknown = ServerAnswers.stream("s", type: text("stream"), information: nil, problem: "no answer in time")
        #expect(unknown.finding == "s: unknown content: no answer in time")
        let entry = RESPValue.array([text("7-1"), .array([text("a"), text("1"), text("big"), .tooLong(70_000_000)])])
        let oversized = RESPValue.array([
            text("length"), .integer(1), text("first-entry"), entry, text("last-entry"), entry,
        ])
        let step = ServerAnswers.stream("s", type: text("stream"), information: oversized)
        #expect(step.verdict == .warning && step.finding.contains("entry 7-1 has a value of 70000000 bytes"))
    }

    @Test("Missing permissions are reported with the command that grants them; optional ones are a warning")
    func rights() {
        func step(_ found: [(String, RightsFindings.Finding)], _ substitute: String? = nil) -> CheckStep {
            var findings = RightsFindings(user: "reader")
            for (words, finding) in found {
                findings.add(CommandNeed(words, [], isHarmless: true, substitute: substitute), finding)
            }
            return findings.step
        }
        let bad = step([("XREAD", .granted), ("XINFO STREAM", .refused("no")), ("PUBLISH", .refused("never"))])
        #expect(bad.verdict == .bad && bad.finding == "no; never")
        #expect(bad.advice?.hasPrefix("ACL SETUSER reader +xinfo|stream +publish,") == true)
        let warning = step([("XINFO STREAM", .refused("no"))], "nobody notices")
        #expect(warning.verdict == .warning && warning.finding == "no; without it nobody notices")
        let two = step([("SCAN", .refused("no")), ("UNLINK", .refused("never"))], "nobody notices")
        #expect(two.finding == "no; never; without them nobody notices")
        #expect(step([("XREAD", .granted), ("XADD", .unknown)]).verdict == .unknown)
        #expect(step([("XADD", .unknown)]).finding == "cannot be tested without effect: XADD")
        #expect(step([("XREAD", .granted)]) == CheckStep("permissions", .good, "XREAD"))
    }

    @Test(
        "A command that the server lacks is too new for it, or disabled, or possibly either",
        arguments: [
            ("7.0.15", "XINFO STREAM", "renamed or disabled", "remove rename-command XINFO"),
            ("6.0.16", "XAUTOCLAIM", "the server (6.0) does not have the command, which was added in 6.2", "to 6.2"),
            ("4.0.9", "XREAD", "added in 5.0", "to 5.0"), ("3.2.0", "UNLINK", "added in 4.0", "to 4.0"),
            ("5.0.0", "EVALSHA", "renamed or disabled", "remove rename-command EVALSHA"),
            ("7.2.4", "CLIENT ID", "renamed or disabled", "remove rename-command CLIENT"),
            (nil, "SCAN", "does not have the command", "or remove rename-command SCAN"),
        ])
    func missing(version: String?, words: String, finding: String, advice: String) {
        let information = version.map { Self.text("# Server\r\nredis_version:\($0)\r\n") }
        var findings = RightsFindings(user: "u", version: ServerVersion(information))
        findings.add(CommandNeed(words, [], isHarmless: true), .missing)
        let step = findings.step
        #expect(step.verdict == .bad && step.finding.hasPrefix("\(words): ") && step.finding.contains(finding))
        #expect(step.advice?.contains(advice) == true && step.advice?.contains("ACL") == false, "\(step)")
    }

    @Test("Missing permissions and commands have a remedy each, and optional ones are marked")
    func remedies() {
        var findings = RightsFindings(user: "u", version: ServerVersion(7, 0))
        findings.add(CommandNeed("XREAD", [], isHarmless: true), .refused("no"))
        findings.add(
            CommandNeed("XINFO STREAM", [], isHarmless: true, alternative: "or set on_gap: continue"), .missing)
        #expect(
            findings.step.advice == "ACL SETUSER u +xread, with the keys and channels of this file; remove "
                + "rename-command XINFO from the server's configuration; or set on_gap: continue")
        var lenient = RightsFindings(user: "u", version: ServerVersion(7, 0))
        lenient.add(
            CommandNeed("XINFO STREAM", [], isHarmless: true, substitute: "gaps pass", alternative: "or"), .missing)
        #expect(lenient.step.verdict == .warning && lenient.step.finding.hasSuffix("without it gaps pass"))
        #expect(lenient.step.advice == "remove rename-command XINFO from the server's configuration")
    }

    @Test(
        "A world-readable file with a secret is a warning",
        arguments: [(0o644, true), (0o640, false), (0o600, false)])
    func secretFiles(permissions: Int, isWarned: Bool) {
        #expect((SecretFiles.step("redis.password_file", "/p", permissions) != nil) == isWarned)
    }

    @Test("The report stays within 80 columns, with its advice below each finding")
    func report() {
        let report = CheckReport(
            file: "f",
            steps: [
                CheckStep("a", .good, "fine"),
                CheckStep("longer", .bad, String(repeating: "word ", count: 30), advice: "do this"),
            ])
        let lines = report.text.split(separator: "\n")
        #expect(lines.first == "✓ a       fine")
        #expect(lines.last == "          → do this")
        for line in lines { #expect(line.count <= 80) }
        #expect(report.json.compact.hasPrefix(#"{"file":"f","good":false,"steps":[{"step":"a","verdict":"good""#))
    }
}
