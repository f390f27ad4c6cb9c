import ComponentKit
import Logging
import RESP
import RedisClient
public import StageKit
import Synchronization

extension RedisStore {
    /// The longest interval between two heartbeats.
    private static let longestInterval = Duration.seconds(1)
    /// The shortest interval, for limits that are shorter than anybody needs.
    private static let shortestInterval = Duration.milliseconds(10)

    /// A quarter of `max_staleness`, at most one second, or `nil` if there is no limit, because then freshness cannot
    /// be proved.
    public var beatInterval: Duration? {
        self.freshness?.maximumAge.map { max(Self.shortestInterval, min(Self.longestInterval, $0 / 4)) }
    }

    /// Writes the heartbeat if the store is fresh and is not being emptied; see `Heartbeat`.
    public func beat(cursor: EntryID?) async {
        let mayBeat = self.removal.withLock { removal in
            if removal.isWanted || removal.isRunning || removal.isBeating { return false }
            removal.isBeating = true
            return true
        }
        guard mayBeat else { return }
        defer {
            let waiting = self.removal.withLock { removal in
                removal.isBeating = false
                defer { removal.waiting = [] }
                return removal.waiting
            }
            for shot in waiting { shot.set(()) }
        }
        do throws(RedisError) {
            self.note(try await self.writeHeartbeat(cursor))
        } catch {
            self.report("cannot write the heartbeat of a store", "\(error)")
        }
    }

    /// Writes the heartbeat, or returns `nil` if there is nothing to write.
    private func writeHeartbeat(_ cursor: EntryID?) async throws(RedisError) -> Heartbeat.Answer? {
        guard let freshness = self.freshness, let limit = freshness.maximumAge, !freshness.isStale else { return nil }
        let state = self.heartbeat.withLock { $0.state }
        if state.wasRemoved { return nil }
        guard let asked = Heartbeat.time(try await self.reader.answer(to: Heartbeat.time(key: self.prefix))) else {
            throw .unexpectedAnswer(to: "EVAL", "expected the result of the heartbeat script")
        }
        // Read the age after the server's time, so that a delay from here on shortens the heartbeat's life.
        guard !freshness.isStale, let age = freshness.age, age < limit else { return nil }
        let milliseconds = (limit - age).microseconds / 1000
        let value = Heartbeat.value(
            worker: ConsumerLease.process, cursor: cursor, serverTime: asked, limit: limit.microseconds / 1000)
        let command = state.write(value, key: self.prefix, milliseconds: milliseconds, asked: asked)
        guard let answer = Heartbeat.answer(try await self.reader.answer(to: command)) else {
            throw .unexpectedAnswer(to: "EVAL", "expected the result of the heartbeat script")
        }
        return answer
    }

    private func note(_ answer: Heartbeat.Answer?) {
        guard let answer else { return }
        self.heartbeat.withLock { $0.state.take(answer) }
        switch answer {
        case .written: self.heartbeat.withLock { $0.problem = nil }
        case .late: break
        case .removed:
            self.report(
                "the heartbeat of a store was removed before it expired",
                "another worker has emptied the store, or its server has lost data; it is not written until this "
                    + "worker has refilled the store or is restarted")
        case .foreign:
            self.report("cannot write the heartbeat of a store", "its key holds a value of another program")
        }
    }

    /// Logs a problem, once until it is resolved or replaced by another.
    private func report(_ message: Logger.Message, _ problem: String) {
        let isNew = self.heartbeat.withLock { heartbeat in
            defer { heartbeat.problem = problem }
            return heartbeat.problem != problem
        }
        guard isNew else { return }
        self.logger.error(
            message,
            metadata: [
                "store": "\(self.name)", "key": "\(String(decoding: self.prefix, as: UTF8.self))",
                "error": "\(problem)",
            ])
    }

    /// Removes the heartbeat. Ignores a missing permission: a user without it cannot have written a heartbeat.
    func removeHeartbeat(_ sender: CommandSender) async throws {
        for answer in try await sender.ask([Heartbeat.remove(key: self.prefix)]) {
            guard case .failure(let error) = answer.result, error.code != .permission else { continue }
            throw error
        }
    }
}
