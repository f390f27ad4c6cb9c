import Foundation
import RESP
import RedisClient
import Testing

/// `sluice check` against real servers.
@Suite struct CheckTests {
    private static let stream = "gateway:session_events"

    /// What the command says of the shipped file, step by step.
    private func check(
        _ server: RedisServer?, _ arguments: [String] = [], environment: [String: String] = [:]
    ) async throws -> (status: Int32, steps: [String: [String: String]], output: String) {
        try await withFolder { folder in
            var all = environment
            if let server { all["REDIS_ADDRESS"] = "\(server.address)" }
            let ending = try await SluiceProcess(
                ["check", ReferenceTests.pipelineFile, "--format", "json", "--set", "redis.timeout=20s"] + arguments,
                in: folder, environment: all
            ).end()
            let object = try? JSONSerialization.jsonObject(with: Data(ending.output.utf8)) as? [String: Any]
            let steps = (object?["steps"] as? [[String: String]]) ?? []
            let byName = Dictionary(steps.map { ($0["step"] ?? "", $0) }, uniquingKeysWith: { first, _ in first })
            return (ending.status, byName, ending.output + ending.errors)
        }
    }

    @Test("A server with the stream passes every step, and nothing there is changed")
    func good() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for id in ["5-1", "7-3"] {
                    _ = try await connection.command(RESPCommand("XADD", Self.stream, id, "a", "b"))
                }
            }
            let result = try await self.check(server)
            #expect(result.status == 0, "\(result.output)")
            #expect(result.steps["stream"]?["finding"] == "\(Self.stream): 2 entries, 5-1 to 7-3")
            #expect(result.steps["login"]?["finding"] == "as default, database 0")
            let version = ServerVersion.underTest
            let name = "\(version.product) \(version.numbers.major).\(version.numbers.minor)."
            #expect(result.steps["server"]?["finding"]?.hasPrefix(name) == true, "\(result.output)")
            #expect(result.steps["server"]?["finding"]?.hasSuffix(", standalone, master") == true, "\(result.output)")
            #expect(result.steps["permissions"]?["verdict"] == "good")
            #expect(result.steps["store sessions"]?["verdict"] == "good")
            #expect(result.steps.values.allSatisfy { $0["verdict"] == "good" }, "\(result.output)")
            try await withConnection(server.settings) { connection in
                let length = try await connection.command(RESPCommand("XLEN", Self.stream)).integer
                let keys = try await connection.command(RESPCommand("DBSIZE")).integer
                #expect(length == 2 && keys == 1)
            }
        }
    }

    @Test("The HTTP token must be readable, and a token sent in plaintext is a warning")
    func admin() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let token = folder.appendingPathComponent("token").path
                let set = ["--set", "admin={ listen: 0.0.0.0:0, token_file: \"\(token)\" }"]
                let missing = try await self.check(server, set)
                #expect(missing.status == 1)
                #expect(missing.steps["http"]?["finding"]?.contains(token) == true, "\(missing.output)")
                try Data("a-token-of-many-characters\n".utf8).write(to: URL(fileURLWithPath: token))
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: token)
                let open = try await self.check(server, set)
                #expect(open.status == 0, "\(open.output)")
                #expect(open.steps["http"]?["verdict"] == "warning", "\(open.output)")
                #expect(open.steps["secrets"]?["finding"]?.contains(token) == true, "\(open.output)")
                #expect(!open.output.contains("a-token-of-many"))
            }
        }
    }

    @Test("A missing stream is a warning, a key of another type is an error")
    func stream() async throws {
        try await withRedisServer { server in
            let missing = try await self.check(server)
            #expect(missing.status == 0)
            #expect(missing.steps["stream"]?["verdict"] == "warning")
            try await withConnection(server.settings) { connection in
                _ = try await connection.command(RESPCommand("SET", Self.stream, "x"))
            }
            let wrong = try await self.check(server)
            #expect(wrong.status == 1)
            #expect(wrong.steps["stream"]?["finding"] == "\(Self.stream) holds a string, not a stream")
        }
    }

    @Test("An unreachable server, a wrong password and a missing database are reported by the failing step")
    func refused() async throws {
        let away = try await self.check(nil, environment: ["REDIS_ADDRESS": "unix:/nonexistent/s"])
        #expect(away.status == 1)
        #expect(away.steps["network"]?["verdict"] == "bad")
        #expect(away.steps["login"] == nil)
        try await withRedisServer(.init(arguments: ["--requirepass", "right-secret"])) { server in
            let none = try await self.check(server)
            #expect(none.status == 1)
            #expect(none.steps["network"]?["verdict"] == "good")
            #expect(none.steps["login"]?["finding"]?.contains("set redis.password") == true, "\(none.output)")
            let wrong = try await self.check(server, environment: ["REDIS_PASSWORD": "wrong-secret"])
            #expect(wrong.steps["login"]?["verdict"] == "bad")
            #expect(!wrong.output.contains("wrong-secret"))
            let right = try await self.check(server, environment: ["REDIS_PASSWORD": "right-secret"])
            #expect(right.status == 0, "\(right.output)")
            #expect(!right.output.contains("right-secret"))
            let database = try await self.check(
                server, environment: ["REDIS_PASSWORD": "right-secret", "REDIS_DATABASE": "99"])
            #expect(database.steps["login"]?["finding"]?.contains("lower redis.database") == true, "\(database.output)")
        }
    }

    @Test(
        "Read permissions are tried one by one, and write permissions are queried",
        .enabled(if: ServerVersion.underTest.hasDryRuns, "needs ACL DRYRUN"))
    func rights() async throws {
        let users = [
            "user default off",
            "user reader on >pw ~* &none -@all +ping +xread +acl|whoami +acl|dryrun +type +xinfo +info",
        ]
        try await withRedisServer(.init(users: users)) { server in
            let login = ["REDIS_USERNAME": "reader", "REDIS_PASSWORD": "pw"]
            let publishing = ["--set", "revocations.publish.channel=revoked"]
            let result = try await self.check(server, publishing, environment: login)
            #expect(result.status == 1)
            let rights = try #require(result.steps["permissions"])
            #expect(rights["verdict"] == "bad")
            #expect(rights["finding"]?.contains("XREVRANGE") == true && rights["finding"]?.contains("TIME") == false)
            #expect(rights["finding"]?.contains("PUBLISH") == true, "\(result.output)")
            #expect(rights["finding"]?.contains("XREAD:") == false)
            #expect(rights["advice"]?.hasPrefix("ACL SETUSER reader +xrevrange +publish,") == true, "\(rights)")
            let back = try await self.check(server, ["--set", "source.redis_stream.start=-15m"], environment: login)
            #expect(back.steps["permissions"]?["finding"]?.contains("TIME") == true, "\(back.output)")
            #expect(result.steps["login"]?["finding"] == "as reader, database 0")
        }
    }

    @Test("Without a permission for INFO, the server is named by its answer to HELLO")
    func hello() async throws {
        let user = "user reader on >pw ~* &* +@all -info"
        try await withRedisServer(.init(users: ["user default off", user])) { server in
            let login = ["REDIS_USERNAME": "reader", "REDIS_PASSWORD": "pw"]
            let result = try await self.check(server, environment: login)
            let version = ServerVersion.underTest
            let name = "\(version.product) \(version.numbers.major).\(version.numbers.minor)."
            #expect(result.steps["server"]?["finding"]?.hasPrefix(name) == true, "\(result.output)")
            #expect(result.steps["server"]?["verdict"] == "good", "\(result.output)")
        }
    }

    @Test("A user who may not name connections is a warning")
    func naming() async throws {
        let user = "user reader on >pw ~* &* +@all -client"
        try await withRedisServer(.init(users: ["user default off", user])) { server in
            let login = ["REDIS_USERNAME": "reader", "REDIS_PASSWORD": "pw"]
            let result = try await self.check(server, environment: login)
            #expect(result.status == 0)
            #expect(result.steps["permissions"]?["verdict"] == "warning", "\(result.output)")
            #expect(result.steps["permissions"]?["finding"]?.contains("CLIENT LIST") == true, "\(result.output)")
            #expect(result.steps["permissions"]?["advice"]?.contains("+client|setname") == true, "\(result.output)")
        }
    }

    @Test(
        "The permissions of a server-side store are queried for the user that it names",
        .enabled(if: ServerVersion.underTest.hasDryRuns, "needs ACL DRYRUN"))
    func storeRights() async throws {
        let users = [
            "user default on nopass ~* &* +@all",
            "user keeper on >pw ~session:* -@all +ping +evalsha +eval +hmget +del +hgetall +acl|whoami +acl|dryrun",
        ]
        try await withRedisServer(.init(users: users)) { server in
            func step(_ login: String) async throws -> (status: Int32, step: [String: String]) {
                let store = "{ redis: { key: device_session_id, prefix: \"session:\", server: { \(login) } } }"
                let result = try await self.check(
                    server, ["--set", "stores={ sessions: \(store) }"])
                return (result.status, try #require(result.steps["store sessions permissions"], "\(result.output)"))
            }
            let address = "address: \"\(server.address)\", timeout: 20s"
            let keeper = try await step("\(address), username: keeper, password: pw")
            #expect(keeper.status == 1)
            #expect(keeper.step["verdict"] == "bad")
            let finding = try #require(keeper.step["finding"])
            #expect(finding.contains("HSET") && finding.contains("PEXPIRE") && !finding.contains("HMGET"), "\(finding)")
            #expect(keeper.step["advice"]?.hasPrefix("ACL SETUSER keeper +hset +pexpire,") == true, "\(keeper.step)")
            let all = try await step(address)
            #expect(all.step["verdict"] == "good", "\(all.step)")
            let keys = try await withConnection(server.settings) { try await $0.command(RESPCommand("DBSIZE")) }
            #expect(keys.integer == 0)
        }
    }

    @Test(
        "Permissions are checked for streams, fill keys, hashes, messages and dead letters",
        .enabled(if: ServerVersion.underTest.hasDryRuns, "needs ACL DRYRUN"))
    func allRights() async throws {
        let user =
            "user reader on >pw ~a ~session:* &told -@all +ping +xread +xrevrange +xinfo +type +acl|dryrun +acl|whoami"
        try await withRedisServer(.init(users: ["user default off", user])) { server in
            let text = """
                pipeline: p
                redis: { address: "\(server.address)", timeout: 20s, username: reader, password: pw }
                source:
                  redis_stream:
                    stream: a
                    bootstrap: { keys: { match: "session:*", type: json } }
                stores: { s: { memory: { key: id } } }
                stages:
                  - decode: { event: e, fields: { id: { required: true } } }
                    on_failure: { dead_letter: { stream: letters } }
                  - upsert: { store: s }
                  - lookup: { hash: "device:{id}", fields: { limit: {} }, missing: pass }
                  - publish: { channel: told }
                """
            let ending = try await sluice("check", "p.yaml", "--format", "json", files: ["p.yaml": text])
            #expect(ending.status == 1, "\(ending.errors)")
            let document = try JSONSerialization.jsonObject(with: Data(ending.output.utf8)) as? [String: Any]
            let steps = document?["steps"] as? [[String: String]]
            let rights = try #require(steps?.first { $0["step"] == "permissions" })
            let advice = try #require(rights["advice"])
            for right in ["+scan", "+get", "+xadd", "+publish", "+hmget"] {
                #expect(advice.contains("\(right) ") || advice.contains("\(right),"), "\(right): \(advice)")
            }
            #expect(rights["finding"]?.contains("XADD letters") == true, "\(rights)")
            #expect(rights["finding"]?.contains("HMGET device:*") == true, "\(rights)")
            let several = text.replacing("stream: a\n", with: "streams: [a, b]\n")
                .replacing(#"bootstrap: { keys: { match: "session:*", type: json } }"#, with: "read_block: 1s")
            let second = try await sluice("check", "p.yaml", files: ["p.yaml": several])
            #expect(second.status == 1 && second.output.contains("NOPERM"), "\(second)")
        }
    }

    @Test("A server that evicts keys is a warning for a store, and for a stream if it evicts keys without an expiry")
    func evictingServers() async throws {
        for (policy, stream, store) in [
            ("noeviction", "good", "good"), ("volatile-lru", "good", "warning"), ("allkeys-lru", "warning", "warning"),
        ] {
            let arguments = ["--maxmemory", "100mb", "--maxmemory-policy", policy]
            try await withRedisServer(.init(arguments: arguments)) { server in
                let result = try await self.check(
                    server, ["--set", "stores={ sessions: { redis: { key: device_session_id } } }"])
                #expect(result.status == 0, "\(result.output)")
                #expect(result.steps["memory policy"]?["verdict"] == stream, "\(result.output)")
                #expect(result.steps["store sessions memory"]?["verdict"] == store, "\(result.output)")
            }
        }
        let user = "user reader on >pw ~* &* +@all -info -config"
        try await withRedisServer(.init(users: ["user default off", user])) { server in
            let result = try await self.check(
                server, environment: ["REDIS_USERNAME": "reader", "REDIS_PASSWORD": "pw"])
            #expect(result.steps["memory policy"]?["verdict"] == "unknown", "\(result.output)")
            #expect(result.steps["memory policy"]?["advice"]?.contains("noeviction") == true)
        }
    }

    @Test("With on_gap: continue, a missing XINFO permission is a warning")
    func blind() async throws {
        let user = "user reader on >pw ~* -@all +ping +xread +xrevrange"
        try await withRedisServer(.init(users: ["user default off", user])) { server in
            let login = ["REDIS_USERNAME": "reader", "REDIS_PASSWORD": "pw"]
            let strict = try await self.check(server, environment: login)
            #expect(strict.status == 1 && strict.steps["permissions"]?["verdict"] == "bad", "\(strict.output)")
            let blind = try await self.check(
                server, ["--set", "source.redis_stream.on_gap=continue"], environment: login)
            #expect(blind.status == 0 && blind.steps["permissions"]?["verdict"] == "warning", "\(blind.output)")
            #expect(blind.steps["permissions"]?["finding"]?.contains("lost entries are not detected") == true)
        }
    }

    @Test("The checkpoint's directory is checked, and the initial content of memory stores is reported")
    func checkpoint() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let resume = ["--set", "source.redis_stream.start=resume"]
                func check(_ path: String) async throws -> [String: [String: String]] {
                    let result = try await self.check(server, resume + ["--set", "checkpoint={ path: \"\(path)\" }"])
                    #expect(result.status == 0, "\(result.output)")
                    return result.steps
                }
                let good = try await check(folder.appendingPathComponent("c").path)
                #expect(good["checkpoint"]?["verdict"] == "good")
                #expect(good["store sessions"]?["finding"] == "in this process's memory, kept in the checkpoint")
                let empty = folder.appendingPathComponent("empty").path
                try Data().write(to: URL(fileURLWithPath: empty))
                let open = folder.appendingPathComponent("open").path
                try Data("x".utf8).write(to: URL(fileURLWithPath: open))
                try #require(chmod(open, 0o666) == 0)
                for path in [folder.appendingPathComponent("nowhere/c").path, folder.path, empty, open] {
                    #expect(try await check(path)["checkpoint"]?["verdict"] == "warning", "\(path)")
                }
            }
        }
    }

    @Test(
        "TLS errors are distinguished from errors before and after the handshake",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func tls() async throws {
        try await TestCertificates.with { certificates in
            try await withRedisServer(.init(tls: certificates)) { server in
                let untrusted = try await self.check(server, environment: ["REDIS_TLS": "true"])
                #expect(untrusted.status == 1)
                #expect(untrusted.steps["network"]?["verdict"] == "good")
                #expect(untrusted.steps["encryption"]?["verdict"] == "bad")
                let path = certificates.path("ca.crt")
                let trusted = try await self.check(server, ["--set", "redis.tls={ca_file: \(path)}"])
                #expect(trusted.status == 0, "\(trusted.output)")
                #expect(trusted.steps["encryption"]?["finding"] == "TLS, chain and name verified")
                let missing = try await self.check(server, ["--set", "redis.tls={ca_file: /nonexistent.pem}"])
                #expect(missing.steps["encryption"]?["verdict"] == "bad")
            }
        }
    }

    @Test("The report has a mark for each step; an invalid file exits with 78")
    func text() async throws {
        try await withRedisServer { server in
            let ending = try await withFolder {
                try await SluiceProcess(
                    ["check", ReferenceTests.pipelineFile, "--set", "redis.timeout=20s"], in: $0,
                    environment: ["REDIS_ADDRESS": "\(server.address)"]
                ).end()
            }
            #expect(ending.status == 0)
            #expect(ending.output.contains("✓ network "), "\(ending.output)")
            #expect(ending.output.contains("! stream "))
            #expect(ending.output.contains("→ compare the name"))
        }
        let wrong = try await sluice("check", "p.yaml", files: ["p.yaml": "pipeline: a b"])
        #expect(wrong.status == 78 && wrong.output.isEmpty)
    }
}
