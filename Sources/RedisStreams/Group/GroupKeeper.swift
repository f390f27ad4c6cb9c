import RESP
import StageKit
import Synchronization

/// Works beside the reader, for as long as its connections last: gives signs of life of what the worker has, so that
/// nobody takes over what is being worked on, and ends a blocked read when the worker is to stop.
final class GroupKeeper: Sendable {
    /// The part of `claim_after` between two signs of life: one that comes late, or is lost, leaves time for another.
    static let beatPart = 4
    /// Pages of entries in one sign of life: more than the largest read brings.
    static let pageLimit = 256
    /// Between two attempts to end a blocked read: the first may come before the read itself.
    static let stopStep = Duration.milliseconds(20)

    private let control: RedisConnection
    private let reading: RedisConnection
    private let readingID: Int64?
    private let commands: GroupCommands
    private let interval: Duration
    private let stop: StopSignal
    private let over = StopSignal()
    private let isReading = Mutex(false)

    /// Makes a keeper; `readingID` is the server's number of the connection that reads, nil where it does not tell.
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

    /// Says whether the reader waits for the answer to a read.
    func setReading(_ isReading: Bool) {
        self.isReading.withLock { $0 = isReading }
    }

    /// Ends `run`: the connections are of no use any more.
    func end() {
        self.over.stop()
    }

    /// Works until `end` is called.
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

    /// The worker is to stop: ends its reads, and gives signs of life of what it still works on.
    private func endReads() async {
        var lastBeat = ContinuousClock.now
        var waitingSince: ContinuousClock.Instant?
        while !self.over.isStopped {
            let now = ContinuousClock.now
            if self.isReading.withLock({ $0 }) {
                let since = waitingSince ?? now
                waitingSince = since
                // A server that does not answer is not waited for.
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

    /// Gives a sign of life of all that the worker has had for a while.
    ///
    /// What goes wrong shows in the reader's own commands, on the same connection.
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
