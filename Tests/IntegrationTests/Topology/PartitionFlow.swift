import Foundation
import RESP
import StageKit
import Synchronization
import Testing

@testable import RedisClient

/// A steady flow of entries to several streams: every key has its stream, and its last value counts.
final class PartitionFlow: Sendable {
    /// Keys in use at a time.
    static let keys = 200

    let streams: [String]
    private let sender: CommandSender
    private let state = Mutex((added: 0, isStopped: false))

    init(_ settings: RedisSettings, streams: [String]) {
        self.streams = streams
        let rules = CommandSender.Rules(patience: nil, endsAtRefusal: true)
        self.sender = CommandSender(settings, rules, what: "entries", progress: ProgressReporter(), logger: quiet)
    }

    /// How many were confirmed.
    var added: Int { self.state.withLock { $0.added } }

    /// The stream of a key.
    func stream(of key: Int) -> String { self.streams[key % self.streams.count] }

    /// Ends the flow; `run` returns then.
    func stop() { self.state.withLock { $0.isStopped = true } }

    /// Adds entries until stopped, ten at a time.
    func run() async throws {
        var number = 0
        while !self.state.withLock({ $0.isStopped }) {
            let commands = (number..<number + 10).map { number in
                let key = number * 7 % Self.keys
                return RESPCommand("XADD", self.stream(of: key), "*", "id", "k\(key)", "n", "\(number)")
            }
            for error in try await self.sender.send(commands) { if let error { throw error } }
            number += 10
            self.state.withLock { $0.added = number }
            try await Task.sleep(for: .milliseconds(5))
        }
        await self.sender.shutDown()
    }
}

extension RedisConnection {
    /// The last value of each key in a stream, and the last id.
    func lastValues(_ stream: String) async throws -> (values: [String: String], last: EntryID?) {
        let entries = try await self.command(RESPCommand("XRANGE", stream, "-", "+"), timeout: .seconds(20)).array ?? []
        var values: [String: String] = [:]
        for entry in entries {
            let parts = entry.array?.last?.array?.compactMap(\.string) ?? []
            if parts.count == 4 { values[parts[1]] = parts[3] }
        }
        return (values, entries.last?.array?.first?.string.flatMap { EntryID($0) })
    }
}
