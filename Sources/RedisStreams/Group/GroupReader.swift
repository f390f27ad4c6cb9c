import ComponentKit
import Logging
import RedisClient
import StageKit

/// Reads a stream as one worker of a group: ensures that the group exists, finishes the worker's own backlog, claims
/// entries that others have abandoned, and reads new entries. `GroupMachine` decides; the reader sends the commands,
/// with the means of `StreamDriver`.
///
/// Uses two connections, on one thread: one waits for new entries, the other sends everything that must not wait for
/// them.
final class GroupReader: StreamReading {
    let driver: StreamDriver
    let group: GroupSettings
    let commands: GroupCommands
    /// Decides the next step.
    var machine: GroupMachine
    /// The entries that have their outcome and are not acknowledged.
    var ledger = AckLedger()
    /// The replies to acknowledgements in flight, in the order of the ledger's pieces.
    var acks: [PendingReply] = []
    /// A read that was sent ahead.
    var asked: StreamDriver.Asked?
    /// Whether the next read should not wait.
    var isPrompt = true
    /// The status of the group.
    var status: GroupStatus
    /// Decides when to remove the consumers of workers that no longer exist.
    var idleConsumers: IdleConsumers

    /// Creates a reader that has not started.
    init(_ driver: StreamDriver, _ group: GroupSettings, _ commands: GroupCommands) {
        let settings = driver.streamSettings
        self.driver = driver
        self.group = group
        self.commands = commands
        self.machine = GroupMachine(
            GroupMachine.Policy(
                interval: settings.checkInterval, maxDeliveries: group.maxDeliveries, readCount: settings.readCount,
                halts: settings.onGap == .halt))
        self.status = GroupStatus(name: group.name, consumer: commands.consumer)
        self.idleConsumers = IdleConsumers(group, surveyInterval: settings.checkInterval)
    }

    /// Maximum number of entries in one page of pending entries.
    var pageCount: Int { min(self.driver.sizes.count, GroupCommands.pageSize) }

    /// The two connections.
    struct Link {
        /// For commands that are answered immediately.
        let control: RedisConnection
        /// For reads that wait.
        let reading: RedisConnection
        /// The server's id of the connection that reads, or `nil` if not reported.
        let readingID: Int64?
    }

    /// Reads until the worker is stopped, reconnecting if that can help; then hands back its pending entries.
    func run(_ deliver: StreamDriver.Deliver) async throws {
        self.show { _ in }
        try await self.driver.run(self, deliver)
    }

    /// Closes both connections.
    func close(_ link: Link) {
        link.reading.close()
        link.control.close()
    }

    /// Reads until the worker is stopped or an error ends the connection; then hands back or acknowledges its entries.
    func read(_ link: Link, _ deliver: StreamDriver.Deliver) async throws(ReadEnd) {
        let keeper = GroupKeeper(
            control: link.control, reading: link.reading, readingID: link.readingID, commands: self.commands,
            claimAfter: self.group.claimAfter, stop: self.driver.stop)
        var failure: ReadEnd?
        let isReadOver = await withTaskGroup(of: Void.self) { tasks -> Bool in
            tasks.addTask { await keeper.run() }
            defer { keeper.end() }
            do throws(ReadEnd) {
                try await self.takeSteps(link, keeper, deliver)
            } catch {
                failure = error
            }
            // Do not wait for a server that has failed.
            if case .server? = failure { return false }
            return self.driver.stop.isStopped ? await self.endRead(link.reading, keeper) : false
        }
        if case .server(let error)? = failure { throw .server(error) }
        // The keeper has ended, so none of its heartbeats follows after entries were handed back.
        if self.driver.stop.isStopped {
            await self.leave(link.control, isReadOver: isReadOver)
        } else {
            // Entries with an outcome are acknowledged; those that ended the run stay pending for this worker.
            try? await self.confirmAll(link.control)
        }
        if let failure { throw failure }
    }

    /// Carries out the machine's steps one after another until the worker is stopped.
    private func takeSteps(
        _ link: Link, _ keeper: GroupKeeper, _ deliver: StreamDriver.Deliver
    ) async throws(ReadEnd) {
        while !self.driver.stop.isStopped {
            switch self.machine.next(at: .now) {
            case .backlog(let id): try await self.readBacklog(link.control, after: id, deliver)
            case .survey: try await self.survey(link.control, deliver)
            case .read: try await self.readNew(link, keeper, deliver)
            }
        }
    }

    /// Prepares for the next connection, or leaves the group if the worker was stopped.
    func disconnected(by end: ReadEnd) async throws -> StreamDriver.Recovery {
        // Acknowledgements in flight may not have arrived; they are sent again before anything is read.
        self.ledger.disconnected()
        self.acks = []
        self.asked = nil
        switch end {
        case .deliver(let error): throw error
        case .gap(let gap, _): throw RedisError.halted(by: gap, in: self.driver.streamSettings.stream)
        // The halt applies even if a stop was requested in the meantime.
        case .server(let error) where error.code == .gap: throw error
        case .server(let error) where error.code == .noGroup: return .reopen
        case .server(let error):
            guard self.driver.stop.isStopped else { return .retry(error) }
            await self.leaveAnew()
            return .stop
        }
    }

    /// The group, and the number of entries that are not acknowledged.
    var retryMetadata: Logger.Metadata { ["group": "\(self.group.name)", "unconfirmed": "\(self.ledger.count)"] }

    /// The server knows which entries the next read of a group returns.
    var nextEntry: String { "an entry of \(self.driver.streamSettings.stream) for the group \(self.group.name)" }

    /// Publishes the state after a change.
    func show(_ change: (inout SourceBoard) -> Void) {
        self.driver.update { board in
            change(&board)
            board.status.group = self.status
        }
    }

    /// Reports a gap.
    ///
    /// - Throws: `RedisError` if the gap ends the run.
    func report(_ gap: Gap) throws(RedisError) {
        let settings = self.driver.streamSettings
        self.driver.logger.logGap(gap, in: settings.stream, settings.onGap, ["group": "\(self.group.name)"])
        self.show { $0.lost(gap) }
        guard self.machine.halts else { return }
        throw .halted(by: gap, in: settings.stream)
    }
}
