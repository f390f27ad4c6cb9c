import RESP
import RedisClient
import Testing

/// RedisClient without a pipeline, as its page in the documentation shows it.
@Suite struct RedisClientTests {
    @Test("The programs of the documentation do what it says")
    func article() async throws {
        try await withRedisServer { server in
            #expect(try await RedisClientArticle.connect(server.settings, quiet) == "hello")
            let values = try await RedisClientArticle.send(server.settings, quiet).map { try $0.result.get() }
            #expect(values == [.integer(1), .array([.bulk(Array("en".utf8)), .bulk(Array("hello".utf8))])])
        }
    }

    @Test("The settings of the documentation are accepted, and encrypted")
    func settings() throws {
        let settings = try RedisClientArticle.settings()
        #expect(settings.address == .tcp(host: "redis.example", port: 6379) && settings.tls == TLSSettings())
    }

    @Test("In a cluster, every command reaches the server of its key, whether or not the sender knows where that is")
    func cluster() async throws {
        try await ClusterServers.with { servers in
            let rules = CommandSender.Rules(patience: patience, endsAtRefusal: true)
            let sender = CommandSender(servers.settings, rules, what: "values", logger: quiet)
            let keys = (0..<100).map { "key\($0)" }
            let errors = try await sender.send(keys.map { RESPCommand("SET", $0, "value of \($0)") })
            #expect(errors.allSatisfy { $0 == nil }, "\(errors)")
            for key in keys.prefix(10) {
                let loop = RedisEventLoop()
                let connection = try await RedisConnection.connect(
                    servers.settings, for: key, on: loop, logger: quiet)
                #expect(try await connection.command(RESPCommand("GET", key)).string == "value of \(key)")
                connection.close()
                await loop.shutDown()
            }
            await sender.shutDown()
        }
    }
}
