import ComponentKit
import Foundation
import HTTPBase
import StageKit
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct RedisDoorServerTests {
    @Test(
        "A door answers at all its addresses, with several threads, and passes changes and messages on",
        arguments: [false, true])
    func addresses(isEncrypted: Bool) async throws {
        try await withDirectory { directory in
            let store = FixedRedisStore()
            var settings = RedisDoorSettings()
            if isEncrypted { settings.tls = try RedisServer.certificate(in: directory) }
            settings.listen = [.tcp(host: "127.0.0.1", port: 0), .unix(path: "\(directory)/redis.sock")]
            settings.mode = 0o660
            settings.threads = 3
            try await RedisServer.run(settings, store) { server, addresses in
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(directory)/redis.sock")
                #expect(attributes[.posixPermissions] as? Int == 0o660)
                var clients: [RedisServerClient] = []
                for index in 0..<6 {
                    let client = RedisServerClient()
                    let address = addresses[index % 2]
                    // A Unix socket is never encrypted.
                    let isLocal = if case .unix = address { true } else { false }
                    try await client.connect(address, isEncrypted: isEncrypted && !isLocal)
                    try await client.send("HELLO 3", "CLIENT TRACKING ON", "SUBSCRIBE revoked", "HLEN sessions:ds-1")
                    try await client.expect(":2|")
                    clients.append(client)
                }
                store.set("ds-1", nil)
                server.observer.snapshotChanged("ds-1".utf8.span)
                for client in clients { try await client.expect("invalidate|*1|$13|sessions:ds-1|") }
                server.publish([Array("m".utf8)])
                for client in clients { try await client.expect("message|$7|revoked|$1|m|") }
                server.reload()
                for client in clients { try await client.expect("invalidate|_|") }
            }
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/redis.sock"))
        }
    }

    @Test(
        "Thousands of pipelined requests get one reply each, in order, although the replies fill the socket",
        arguments: [false, true])
    func pipelining(isEncrypted: Bool) async throws {
        let store = FixedRedisStore()
        let count = 6 * RedisLimits.commandsPerTurn
        let value = String(repeating: "x", count: 400)
        for index in 0..<count { store.set("k\(index)", ["user_id": "\(10_000 + index)-\(value)"]) }
        let expected = (0..<count).map { "$406\r\n\(10_000 + $0)-\(value)\r\n" }.joined()
        try await withDirectory { directory in
            var settings = RedisDoorSettings()
            settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
            if isEncrypted { settings.tls = try RedisServer.certificate(in: directory) }
            try await RedisServer.run(settings, store) { _, addresses in
                let client = RedisServerClient()
                try await client.connect(addresses[0], isEncrypted: isEncrypted)
                for round in 0..<3 {
                    try await client.send(requests: (0..<count).map { "HGET sessions:k\($0) user_id" } + ["PING"])
                    let replies = try await client.take(expected.utf8.count + 7)
                    // Compared outside of the macro, which would print a megabyte.
                    let isRight = replies == expected + "+PONG\r\n"
                    #expect(isRight, "round \(round): \(replies.utf8.count) bytes, \(expected.utf8.count + 7) expected")
                }
            }
        }
    }

    @Test("A store that becomes stale invalidates what clients keep, without a request", arguments: [false, true])
    func stale(isEncrypted: Bool) async throws {
        try await withDirectory { directory in
            let store = FixedRedisStore()
            var settings = RedisDoorSettings()
            settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
            if isEncrypted { settings.tls = try RedisServer.certificate(in: directory) }
            try await RedisServer.run(settings, store) { _, addresses in
                let client = RedisServerClient()
                try await client.connect(addresses[0], isEncrypted: isEncrypted)
                try await client.send("HELLO 3", "CLIENT TRACKING ON", "HLEN sessions:ds-1")
                try await client.expect(":2|")
                store.refuse(.stale)
                try await client.expect("invalidate|_|")
            }
        }
    }

    @Test("The password is read again on a reload, and one that cannot be read stays as it was")
    func password() async throws {
        try await withDirectory { directory in
            let file = "\(directory)/password"
            try Data("the-first-password\n".utf8).write(to: URL(fileURLWithPath: file))
            var settings = RedisDoorSettings()
            settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
            settings.passwordFile = LocatedName(file, at: SettingPosition(line: 1, column: 1))
            try await RedisServer.run(settings) { server, addresses in
                func check(_ password: String, _ expected: String) async throws {
                    let client = RedisServerClient()
                    try await client.connect(addresses[0])
                    try await client.send("AUTH \(password)")
                    try await client.expect(expected)
                }
                try await check("the-first-password", "+OK|")
                try Data("the-second-password".utf8).write(to: URL(fileURLWithPath: file))
                server.reload()
                try await check("the-second-password", "+OK|")
                try await check("the-first-password", "-WRONGPASS")
                for bad in ["short", nil] {
                    try FileManager.default.removeItem(atPath: file)
                    if let bad { try Data(bad.utf8).write(to: URL(fileURLWithPath: file)) }
                    server.reload()
                    try await check("the-second-password", "+OK|")
                }
            }
        }
    }

    @Test("A connection beyond the limit is closed; a shutdown ends the others", arguments: [false, true])
    func limit(isEncrypted: Bool) async throws {
        let metrics = CountingMetrics()
        let held = [RedisServerClient(), RedisServerClient()]
        try await withDirectory { directory in
            var settings = RedisDoorSettings()
            settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
            if isEncrypted { settings.tls = try RedisServer.certificate(in: directory) }
            try await RedisServer.run(settings, connections: 2, metrics: metrics) { _, addresses in
                for client in held {
                    try await client.connect(addresses[0], isEncrypted: isEncrypted)
                    try await client.send("PING")
                    try await client.expect("+PONG|")
                }
                let third = RedisServerClient()
                try await third.connect(addresses[0], isEncrypted: isEncrypted)
                try await third.closed()
                #expect(metrics.all["sluice_gateway_refusals redis connections"] == 1)
            }
        }
        for client in held { try await client.closed() }
    }

    @Test("An address that is in use ends the door, whose other addresses are free again")
    func inUse() async throws {
        try await withDirectory { directory in
            var settings = RedisDoorSettings()
            settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
            try await RedisServer.run(settings) { _, addresses in
                var other = RedisDoorSettings()
                other.listen = [.unix(path: "\(directory)/redis.sock"), addresses[0]]
                let failure = await #expect(throws: ServerFailure.self) { try await RedisServer.run(other) { _, _ in } }
                #expect(failure?.reason == .addressInUse(addresses[0]))
                #expect(!FileManager.default.fileExists(atPath: "\(directory)/redis.sock"))
            }
        }
    }

    @Test("Nothing that is logged or dumped shows the password")
    func hidden() async throws {
        try await withDirectory { directory in
            let file = "\(directory)/password"
            try Data("correct-horse-battery".utf8).write(to: URL(fileURLWithPath: file))
            var settings = RedisDoorSettings()
            settings.passwordFile = LocatedName(file, at: SettingPosition(line: 1, column: 1))
            let secrets = try RedisDoorSecrets(settings)
            let server = try RedisServer.make(settings, FixedRedisStore(), metrics: CountingMetrics())
            var dumped = ""
            dump(secrets, to: &dumped)
            dump(server, to: &dumped)
            for text in ["\(secrets)", String(reflecting: secrets), "\(server)", String(reflecting: server), dumped] {
                #expect(!text.contains("correct") && !text.contains("99, 111, 114") && !text.contains("99\n"))
            }
        }
    }
}
