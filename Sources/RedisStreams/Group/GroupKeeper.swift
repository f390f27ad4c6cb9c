import RESP
import RedisClient
import StageKit
import Synchronization

/// Runs concurrently with the reader while its connections last: sends heartbeats for the worker's pending entries, so
/// that nobody claims entries that are being processed, and ends a blocked read when the worker is stopped.
final class GroupKeeper: Sendable {
    /// The number of heartbeats per `claim_after`: if one is late or lost, there is time for another.
    static let beatPart = 4
    /// Maximum number of pages of entries per heartbeat; more than the largest read returns.
    static let pageLimit = 256
    /// Delay between two attempts to end a blocked read; the first may arrive before the read itself.
    static let stopStep = Duration.milliseconds(20)

    private let control: RedisConnection
    private let reading: RedisConnection
    private let readingID: Int64?
    private let commands: GroupCommands
    private let interval: Duration
    private let stop: StopSignal
    private let over = StopSignal()
    private let isReading = Mutex(false)

    /// Creates a keeper; `readingID` is the client id of the connection that reads, or `nil` if the server does not
    /// report it.
    init(
        control: RedisConnection, reading: RedisConnection, readingID: Int64?, commands: GroupCommands,
        claimAfter: Duration, stop: StopSignal
    ) {
        self.control = control
        self.reading = reading
        self.readingID = readingID
        self.commands = commands
        self.interval = claimAfter / Self.beatPart
        self.stop = stop
    }

    /// Sets whether the reader is waiting for the reply to a read.
    func setReading(_ isReading: Bool) {
        self.isReading.withLock { $0 = isReading }
    }

    /// Ends `run`, because the connections can no longer be used.
    func end() {
        self.over.stop()
    }

    /// Runs until `end` is called.
    func run() async {
        let wake = StopSignal()
        let tokens = (self.stop.onStop { wake.stop() }, self.over.onStop { wake.stop() })
        defer {
            self.stop.forget(tokens.0)
            self.over.forget(tokens.1)
        }
        while !wake.isStopped {
            await self.control.loop.sleep(self.interval, until: wake)
            if !wake.isStopped { await self.beat() }
        }
        await self.endReads()
    }

    /// Ends the reads of a worker that is being stopped, and sends heartbeats for entries that it still processes.
    private func endReads() async {
        var lastBeat = ContinuousClock.now
        var waitingSince: ContinuousClock.Instant?
        while !self.over.isStopped {
            let now = ContinuousClock.now
            if self.isReading.withLock({ $0 }) {
                let since = waitingSince ?? now
                waitingSince = since
                // Do not wait for a server that does not reply.
                if self.readingID == nil || now - since > self.control.timeout { self.reading.close() }
                if let id = self.readingID { _ = try? await self.control.command(GroupCommands.unblock(id)) }
            } else {
                waitingSince = nil
            }
            if now - lastBeat >= self.interval {
                lastBeat = now
                await self.beat()
            }
            await self.control.loop.sleep(Self.stopStep, until: self.over)
        }
    }

    /// Sends a heartbeat for the entries that the worker has had for at least one interval.
    ///
    /// Failures appear in the reader's own commands, on the same connection.
    private func beat() async {
        for _ in 0..<Self.pageLimit {
            guard let answer = try? await self.control.command(self.commands.own(idle: self.interval)),
                let entries = PendingEntry.list(answer), !entries.isEmpty
            else { return }
            let beat = self.commands.beat(entries.map(\.id)[...], idle: self.interval)
            guard (try? await self.control.command(beat)) != nil else { return }
            if entries.count < GroupCommands.pageSize { return }
        }
    }
}
