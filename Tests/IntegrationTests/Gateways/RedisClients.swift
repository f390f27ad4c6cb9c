import CHiredis
import Foundation
import Testing

/// Clients of Redis that the tests run.
enum RedisClients {
    /// Whether `redis-cli` is installed.
    static let hasCommandLine = succeeds(["redis-cli", "--version"])
    /// Whether redis-py is installed, in a version that caches.
    static let hasPython = succeeds(["python3", "-c", "import redis, redis.cache"])

    private static func succeeds(_ command: [String]) -> Bool {
        (try? run(command, in: FileManager.default.temporaryDirectory, log: "/dev/null").status) == 0
    }

    /// Runs a program to its end; returns its exit status and its output.
    static func run(_ command: [String], in folder: URL, log: String) throws -> (status: Int32, output: String) {
        let path = log.hasPrefix("/") ? log : folder.appendingPathComponent(log).path
        let script = "exec \"$@\" >\"$0\" 2>&1 </dev/null"
        let status = try Child(["/bin/sh", "-c", script, path] + command, in: folder, log: "clients.log").wait()
        return (status, (try? String(contentsOfFile: path, encoding: .utf8)) ?? "")
    }

    /// The same for a program that takes long; does not block.
    static func runBeside(
        _ command: [String], in folder: URL, log: String
    ) async throws -> (status: Int32, output: String) {
        let path = folder.appendingPathComponent(log).path
        let script = "exec \"$@\" >\"$0\" 2>&1 </dev/null"
        let child = try Child(["/bin/sh", "-c", script, path] + command, in: folder, log: "clients.log")
        var status: Int32?
        try await eventually("\(command) ends") {
            status = child.endedStatus()
            return status != nil
        }
        return (status ?? -1, (try? String(contentsOfFile: path, encoding: .utf8)) ?? "")
    }
}

/// A connection by the C library hiredis, as a C program uses it.
final class HiredisConnection {
    /// A reply, as a text: integers with a colon, errors with a minus, lists in brackets.
    typealias Reply = String

    private let context: UnsafeMutablePointer<redisContext>

    init(path: String) throws {
        let context = try #require(redisConnectUnix(path))
        self.context = context
        try #require(context.pointee.err == 0)
    }

    deinit {
        redisFree(self.context)
    }

    /// Sends commands together, then reads the replies.
    func send(_ commands: [[String]]) throws -> [Reply] {
        for words in commands {
            var pointers = words.map { UnsafePointer<CChar>(strdup($0)) }
            defer { for pointer in pointers { free(UnsafeMutableRawPointer(mutating: pointer)) } }
            let lengths = words.map(\.utf8.count)
            #expect(redisAppendCommandArgv(self.context, Int32(words.count), &pointers, lengths) == REDIS_OK)
        }
        return try commands.map { _ in
            var reply: UnsafeMutableRawPointer?
            try #require(redisGetReply(self.context, &reply) == REDIS_OK)
            defer { freeReplyObject(reply) }
            return Self.text(try #require(reply?.assumingMemoryBound(to: redisReply.self)))
        }
    }

    private static func text(_ reply: UnsafeMutablePointer<redisReply>) -> Reply {
        switch reply.pointee.type {
        case REDIS_REPLY_INTEGER: return ":\(reply.pointee.integer)"
        case REDIS_REPLY_NIL: return "nil"
        case REDIS_REPLY_ERROR: return "-" + String(cString: reply.pointee.str)
        case REDIS_REPLY_ARRAY:
            let elements = (0..<Int(reply.pointee.elements)).compactMap {
                reply.pointee.element[$0].map { Self.text($0) }
            }
            return "[\(elements.joined(separator: " "))]"
        default: return String(cString: reply.pointee.str)
        }
    }
}
