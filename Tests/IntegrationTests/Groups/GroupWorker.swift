import ComponentKit
import Foundation
import Logging
import RESP
import RedisClient
import RedisStreams
import StageKit

/// A worker of a group in this process, with what it was delivered.
final class GroupWorker: Sendable {
    /// A delivery of an entry.
    struct Delivery: Sendable, Equatable {
        var id: EntryID
        var deliveries: Int
        var isRefused: Bool
    }

    /// The stream and the group of all tests.
    static let stream = "s"
    static let group = "g"

    let source: RedisStreamSource
    private let delivered = OrderedMutex<[Delivery]>([])
    /// Called with each delivery; may wait, or throw what ends the run.
    private let work: @Sendable (Delivery) async throws -> Void

    init(
        _ server: RedisServer, _ consumer: String, start: StreamStart = .beginning, count: Int = 10,
        claimAfter: Duration = .seconds(3600), block: Duration? = nil, margin: Duration? = nil,
        maxDeliveries: Int = 100, removeAfter: Duration? = .seconds(86_400),
        onGap: GapPolicy = .goOn,
        user: String? = nil, redis other: RedisSettings? = nil, logger: Logger = quiet,
        work: @escaping @Sendable (Delivery) async throws -> Void = { _ in }
    ) {
        var group = GroupSettings(name: Self.group)
        group.consumer = consumer
        group.claimAfter = claimAfter
        group.maxDeliveries = maxDeliveries
        group.removeConsumersAfter = removeAfter
        var settings = RedisStreamSettings(stream: Self.stream)
        settings.group = group
        settings.start = start
        settings.readCount = count
        settings.checkInterval = block ?? .milliseconds(50)
        settings.readBlock = block ?? settings.readBlock
        settings.readMargin = margin ?? settings.readMargin
        settings.reconnect.firstDelay = .milliseconds(10)
        settings.onGap = onGap
        var redis = other ?? server.settings
        if let user {
            redis.username = user
            redis.password = Secret("p")
        }
        self.source = RedisStreamSource(redis, settings, logger: logger)
        self.work = work
    }

    /// What it was delivered, in order.
    var deliveries: [Delivery] { self.delivered.withLock { $0 } }
    /// The entries that it was delivered.
    var ids: [EntryID] { self.deliveries.map(\.id) }
    /// How its group is doing.
    var status: GroupStatus? { self.source.status.group }

    /// Runs it beside `body` and stops it in any case.
    @discardableResult
    func run<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        try await withRunning(self.source, { try await self.take($0) }, body)
    }

    /// Runs it until it ends by itself.
    func runToEnd() async throws {
        try await self.source.run { try await self.take($0) }
    }

    private func take(_ batch: EventBatch) async throws {
        batch.prepareCells(fieldCount: 1)
        for index in 0..<batch.count {
            let delivery = batch.withEvent(at: index) { event in
                Delivery(id: event.id, deliveries: event.deliveries, isRefused: event.failure != nil)
            }
            self.delivered.withLock { $0.append(delivery) }
            try await self.work(delivery)
        }
    }
}

extension RedisConnection {
    /// Adds entries `first-0`, and so on up to `last-0`.
    func addNumbered(_ range: ClosedRange<Int>) async throws {
        for number in range { try await self.add(GroupWorker.stream, "\(number)", id: "\(number)-0") }
    }

    /// The ids of what is pending, with the worker that has each: `3-0 a`.
    func pendingEntries() async throws -> [String] {
        let command = RESPCommand("XPENDING", GroupWorker.stream, GroupWorker.group, "-", "+", 10_000)
        let rows = try await self.command(command).array ?? []
        return rows.compactMap { $0.array?.prefix(2).compactMap(\.string).joined(separator: " ") }
    }

    /// How long ago the worker that has an entry pending was last heard of, in milliseconds; `nil` if it is not pending.
    func pendingIdle(_ id: String) async throws -> Int64? {
        let command = RESPCommand("XPENDING", GroupWorker.stream, GroupWorker.group, id, id, 1)
        return try await self.command(command).array?.first?.array?[2].integer
    }

    /// The names of the group's workers.
    func consumers() async throws -> [String] {
        let rows = try await self.command(RESPCommand("XINFO", "CONSUMERS", GroupWorker.stream, GroupWorker.group))
        return (rows.array ?? []).compactMap { $0.array?[1].string }.sorted()
    }

    /// Has a worker that does nothing more take entries, as one that was killed leaves them.
    func takeAndDie(_ consumer: String, _ count: Int) async throws {
        _ = try await self.command(
            RESPCommand(
                "XREADGROUP", "GROUP", GroupWorker.group, consumer, "COUNT", count, "STREAMS", GroupWorker.stream, ">"))
    }

    /// Makes the group at the stream's beginning.
    func makeGroup() async throws {
        _ = try await self.command(
            RESPCommand("XGROUP", "CREATE", GroupWorker.stream, GroupWorker.group, "0", "MKSTREAM"))
    }
}

/// The ids `first-0` to `last-0`.
func numbered(_ range: ClosedRange<Int>) -> [EntryID] {
    range.map { EntryID(milliseconds: UInt64($0), sequence: 0) }
}

/// Does something whenever an error is logged, in the thread that logs it.
struct ErrorAlarm: LogHandler {
    let ring: @Sendable () -> Void
    var metadata = Logger.Metadata()
    var logLevel = Logger.Level.error

    init(_ ring: @escaping @Sendable () -> Void) {
        self.ring = ring
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        self.ring()
    }
}
