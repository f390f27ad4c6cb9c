import ComponentKit
import Foundation
import Logging
import RESP
import RedisClient
import ServiceLifecycle
import StageKit

/// Publishes realistic session events at a steady rate until it is shut down.
struct DemoPublisher: Service {
    /// Time between two groups of events: short enough for a smooth flow, long enough to keep the rate.
    private static let interval: Duration = .milliseconds(5)
    /// Maximum length of the stream, so that the demo's memory does not grow.
    private static let streamLimit = 100_000
    /// Maximum number of events sent together after a pause, so that a demo that was suspended does not flood.
    private static let burstLimit = 1000

    /// Maximum time for the server's answer: on a busy machine the demo is slow, not over.
    private static let timeout: Duration = .seconds(30)

    /// The demo's server.
    let redis: PrivateRedis
    /// The stream.
    let stream: String
    /// Events per second.
    let rate: Int
    /// Receives each id before it is sent.
    let meter: DemoMeter
    /// The pipeline's source; publishing begins when it reads, because it starts at the stream's end.
    let source: any EventSource
    /// The logger.
    let logger: Logger

    /// Publishes until shut down.
    func run() async throws {
        let loop = RedisEventLoop()
        let result: Result<Void, any Error>
        do {
            try await cancelWhenGracefulShutdown { try await self.publish(on: loop) }
            result = .success(())
        } catch is CancellationError {
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await loop.shutDown()
        try result.get()
    }

    private func publish(on loop: RedisEventLoop) async throws {
        var settings = RedisSettings(address: .unix(path: self.redis.socketPath)).used(for: "demo")
        settings.timeout = Self.timeout
        let connection = try await RedisConnection.connect(settings, on: loop, logger: self.logger)
        defer { connection.close() }
        while self.source.status.state != .reading { try await Task.sleep(for: Self.interval) }
        let clock = ContinuousClock()
        let started = clock.now
        var traffic = DemoTraffic(seed: UInt64(Date().timeIntervalSince1970))
        var sent = 0
        var last = EntryID.zero
        while !Task.isCancelled {
            let due = Int((clock.now - started).seconds * Double(self.rate))
            let count = min(due - sent, Self.burstLimit)
            sent = count == Self.burstLimit ? due : sent + max(count, 0)
            if count > 0 { try await self.send(count, &traffic, &last, connection) }
            try await Task.sleep(for: Self.interval)
        }
    }

    private func send(
        _ count: Int, _ traffic: inout DemoTraffic, _ last: inout EntryID, _ connection: RedisConnection
    ) async throws {
        var ids: [EntryID] = []
        var commands: [RESPCommand] = []
        let now = UInt64(Date().timeIntervalSince1970 * 1000)
        for _ in 0..<count {
            last =
                now > last.milliseconds
                ? EntryID(milliseconds: now, sequence: 0)
                : EntryID(milliseconds: last.milliseconds, sequence: last.sequence + 1)
            ids.append(last)
            let fields = traffic.next(now: now).flatMap { [Array($0.name.utf8), Array($0.value.utf8)] }
            let head = [self.stream, "MAXLEN", "~", "\(Self.streamLimit)", last.description].map { Array($0.utf8) }
            commands.append(RESPCommand("XADD", arguments: head + fields))
        }
        self.meter.sending(ids)
        for reply in connection.submit(commands) {
            if case .error(let text) = try await reply.reply().value() { throw PrivateRedis.Failure(description: text) }
        }
    }
}
