import Logging
import RESP
import RedisClient

/// The program that the page on RedisClient shows. `RedisClientTests` runs its parts.
enum RedisClientArticle {
    static func settings() throws -> RedisSettings {
        var settings = RedisSettings(address: try RedisAddress("redis.example:6379"))
        settings.username = "app"
        settings.passwordFile = "/run/secrets/redis"
        settings.tls = TLSSettings()
        settings.clientName.pipeline = "app"
        return settings
    }

    static func connect(_ settings: RedisSettings, _ logger: Logger) async throws -> String? {
        let loop = RedisEventLoop()
        let connection = try await RedisConnection.connect(settings, for: "greeting", on: loop, logger: logger)
        _ = try await connection.command(RESPCommand("SET", "greeting", "hello"))
        let greeting = try await connection.command(RESPCommand("GET", "greeting")).string
        connection.close()
        await loop.shutDown()
        return greeting
    }

    static func send(_ settings: RedisSettings, _ logger: Logger) async throws -> [CommandSender.Answer] {
        let rules = CommandSender.Rules(patience: .seconds(30), endsAtRefusal: false)
        let sender = CommandSender(settings, rules, what: "greetings", logger: logger)
        let answers = try await sender.ask([
            RESPCommand("HSET", "greetings", "en", "hello"), RESPCommand("HGETALL", "greetings"),
        ])
        for answer in answers {
            switch answer.result {
            case .success(let value): logger.info("\(value)")
            case .failure(let error): logger.error("\(error)", metadata: ["code": "\(error.code.rawValue)"])
            }
        }
        await sender.shutDown()
        return answers
    }
}
