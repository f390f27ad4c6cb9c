import Glibc
import Logging
import RESP
import RedisClient

/// A program that sends commands to the server that its argument names, and checks every reply. Exit status 1 if a reply
/// differs.
@main enum RedisProgram {
    /// A reply that differs from the expected one.
    private struct Unexpected: Error {
        let what: String
    }

    static func main() async {
        let logger = Logger(label: "redis-program")
        do {
            try await self.run(logger)
            print("every reply is as expected")
        } catch {
            logger.critical("\(error)")
            exit(1)
        }
    }

    private static func run(_ logger: Logger) async throws {
        guard CommandLine.arguments.count == 2 else { throw Unexpected(what: "expected the address of a server") }
        var settings = RedisSettings(address: try RedisAddress(CommandLine.arguments[1]))
        settings.clientName.pipeline = "redis-program"
        // On a busy machine, too.
        settings.timeout = .seconds(60)
        settings.connectTimeout = .seconds(60)
        try await self.useConnection(settings, logger)
        try await self.useSender(settings, logger)
        try await self.useMissingServer(logger)
    }

    /// Sends commands over one connection, from one task and from many at the same time.
    private static func useConnection(_ settings: RedisSettings, _ logger: Logger) async throws {
        let loop = RedisEventLoop()
        let connection = try await RedisConnection.connect(settings, on: loop, logger: logger)
        try await connection.ping()
        try self.expect(await connection.command(RESPCommand("SET", "greeting", "hello")).string, "OK", "SET")
        try self.expect(await connection.command(RESPCommand("GET", "greeting")).string, "hello", "GET")
        try self.expect(await connection.command(RESPCommand("GET", "missing")), .null, "GET of a missing key")

        let count = 1000
        let numbers = try await withThrowingTaskGroup(of: Int64?.self) { group in
            for _ in 0..<count {
                group.addTask { try await connection.command(RESPCommand("INCR", "visits")).integer }
            }
            return try await group.reduce(into: Set<Int64?>()) { $0.insert($1) }
        }
        try self.expect(numbers, Set((1...Int64(count)).map { $0 }), "INCR from \(count) tasks")

        try await self.expectError(.wrongType, "LPUSH to a text") {
            _ = try await connection.command(RESPCommand("LPUSH", "greeting", "x"))
        }
        connection.close()
        try await self.expectError(.closed, "a command after close") { try await connection.ping() }
        await loop.shutDown()
    }

    /// Sends commands that survive a lost connection: the server closes it between two calls.
    private static func useSender(_ settings: RedisSettings, _ logger: Logger) async throws {
        let rules = CommandSender.Rules(patience: .seconds(30), endsAtRefusal: false)
        let sender = CommandSender(settings, rules, what: "greetings", logger: logger)
        let failures = try await sender.send([
            RESPCommand("HSET", "greetings", "en", "hello"), RESPCommand("LPUSH", "greetings", "x"),
        ])
        try self.expect(failures.map { $0?.code }, [nil, .wrongType], "HSET and LPUSH")

        let loop = RedisEventLoop()
        let other = try await RedisConnection.connect(settings, on: loop, logger: logger)
        let killed = try await other.command(RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")).integer
        guard let killed, killed >= 1 else { throw Unexpected(what: "CLIENT KILL closed no connection") }
        other.close()
        await loop.shutDown()

        let answers = try await sender.ask([RESPCommand("HGETALL", "greetings")])
        let fields = try answers.first?.result.get().array?.map(\.string)
        try self.expect(fields, ["en", "hello"], "HGETALL after a lost connection")
        await sender.shutDown()
    }

    /// Connects to an address where nothing listens: the error is classified and can be retried.
    private static func useMissingServer(_ logger: Logger) async throws {
        let loop = RedisEventLoop()
        try await self.expectError(.connectFailed, "a socket that does not exist") {
            let settings = RedisSettings(address: try RedisAddress("unix:/nonexistent/redis.sock"))
            _ = try await RedisConnection.connect(settings, on: loop, logger: logger)
        }
        await loop.shutDown()
    }

    private static func expect<Value: Equatable>(_ value: Value, _ expected: Value, _ what: String) throws {
        guard value == expected else { throw Unexpected(what: "\(what): \(value), not \(expected)") }
    }

    private static func expectError(
        _ code: RedisError.Code, _ what: String, _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
        } catch let error as RedisError {
            return try self.expect(error.code, code, what)
        }
        throw Unexpected(what: "\(what) did not fail")
    }
}
