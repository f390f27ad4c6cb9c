import Foundation
import NIOCore
import RESP
import RedisClient
import Testing

@testable import Commands

/// A real worker with a small pipeline and the timeouts that the settings have by default.
struct LimitWorker {
    let process: SluiceProcess
    let folder: URL

    /// The stream that all of these workers read.
    static let stream = "events"

    /// A pipeline file: keeps entries with the fields `id`, `status` and `text` in a store; failed ones are evicted.
    static func file(
        source: String = "start: beginning", redis: String, store: String = "memory: { key: id }",
        more: String = "", listen: String = "unix:${FOLDER}/admin"
    ) -> String {
        """
        pipeline: limits
        redis: { \(redis) }
        source:
          redis_stream: { stream: \(self.stream), \(source) }
        stores:
          things: { \(store) }
        stages:
          - decode: { fields: { id: { required: true, blank: reject }, status: {}, text: { secret: true } } }
            on_failure: evict
          - upsert: { store: things }
            on_failure: evict
        branches:
          evict:
            - evict: { store: things, key: id }
        admin: { listen: "\(listen)" }
        \(more)
        """
    }

    /// Runs a worker beside `body`; what is left of it afterwards is killed.
    static func with<R>(
        _ file: String, _ arguments: [String] = [], _ body: (LimitWorker) async throws -> R
    ) async throws -> R {
        try await withFolder { folder in
            try Data(file.utf8).write(to: folder.appendingPathComponent("p.yaml"))
            let process = try SluiceProcess(
                ["run", "p.yaml", "--journal", "journal"] + arguments, in: folder, environment: ["FOLDER": folder.path])
            defer { process.kill() }
            return try await body(LimitWorker(process: process, folder: folder))
        }
    }

    /// The number of complete lines of the journal.
    var lineCount: Int {
        let path = self.folder.appendingPathComponent("journal")
        return (try? Data(contentsOf: path))?.count { $0 == UInt8(ascii: "\n") } ?? 0
    }

    /// The lines of the journal, each with `entry`, `outcome` and perhaps `reason`.
    var journal: [(entry: String, outcome: String, reason: String?)] {
        let text = (try? String(contentsOf: self.folder.appendingPathComponent("journal"), encoding: .utf8)) ?? ""
        // The last line may not be complete yet.
        return text.split(separator: "\n").compactMap { line in
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            guard let entry = object?["entry"] as? String, let outcome = object?["outcome"] as? String else {
                return nil
            }
            return (entry, outcome, object?["reason"] as? String)
        }
    }

    /// Requests a path of the HTTP interface.
    func get(_ path: String) async throws -> (status: UInt, body: String) {
        var body = ByteBuffer()
        let client = AdminClient(address: "unix:\(self.folder.path)/admin")
        let status = try await client.get(path) { _, piece in body.writeImmutableBuffer(piece) }
        return (status, AdminClient.line(body))
    }

    /// Waits until the worker is ready.
    func ready() async throws {
        try await eventually("ready") { (try? await self.get("/readyz").status) == 200 }
    }

    /// The value of a metric without labels.
    func metric(_ name: String) async throws -> Int {
        let lines = try await self.get("/metrics").body.split(separator: "\n")
        let line = try #require(lines.first { $0.hasPrefix("\(name) ") }, "no \(name)")
        return try #require(Int(line.dropFirst(name.count + 1)))
    }

    /// Stops the worker, which must end well.
    func stop() async throws {
        try await self.process.signal(SIGTERM)
        let ending = try await self.process.end()
        #expect(ending.status == 0, "\(ending.errors)")
    }
}

extension RedisConnection {
    /// Adds `count` entries with a text of so many bytes each, with ids from `first` on.
    func addTexts(_ count: Int, bytes: Int, from first: Int = 1) async throws {
        let script = """
            for i = tonumber(ARGV[3]), tonumber(ARGV[3]) + tonumber(ARGV[1]) - 1 do
              redis.call('XADD', KEYS[1], i .. '-0', 'id', 'k' .. i, 'status', 'active', 'text', string.rep('x', ARGV[2]))
            end
            """
        let command = RESPCommand("EVAL", script, 1, LimitWorker.stream, count, bytes, first)
        _ = try await self.command(command, timeout: .seconds(120))
    }
}
