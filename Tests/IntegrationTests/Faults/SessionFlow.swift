import Foundation
import RESP
import RedisClient
import StageKit
import Synchronization
import Testing

/// A steady flow of sessions, each of which becomes active, is revoked somewhat later, and stays so; and all that was
/// acknowledged of it.
final class SessionFlow: Sendable {
    /// An entry that the server has acknowledged.
    struct Entry: Sendable {
        var id: EntryID
        var session: Int
        var isRevoked: Bool
        var time: ContinuousClock.Instant
    }

    private struct State {
        var log: [Entry] = []
        var next = 0
        var isAdding = false
        var isPaused = false
        var isStopped = false
    }

    /// How many entries a session lives.
    static let life = 20
    /// The time between two entries: most of a fault in the short form is waiting, which needs no more.
    static let interval = Duration.milliseconds(FaultTable.isLong ? 2 : 5)

    private let state = Mutex(State())

    /// What was acknowledged, in order.
    var log: [Entry] { self.state.withLock { $0.log } }

    /// Adds nothing until `resume`, and waits until the entry in flight is acknowledged or lost.
    func pause() async throws {
        self.state.withLock { $0.isPaused = true }
        try await eventually("the flow is paused") { !self.state.withLock { $0.isAdding } }
    }

    /// Goes on.
    func resume() { self.state.withLock { $0.isPaused = false } }

    /// Ends the flow.
    func stop() { self.state.withLock { $0.isStopped = true } }

    /// Adds entries until stopped, over connections made anew when they break.
    func run(_ settings: @escaping @Sendable () -> RedisSettings) async {
        while !self.isStopped {
            try? await withConnection(settings()) { connection in
                while !self.isStopped {
                    try await Task.sleep(for: Self.interval)
                    let mayAdd = self.state.withLock { state in
                        state.isAdding = !state.isPaused
                        return state.isAdding
                    }
                    defer { self.state.withLock { $0.isAdding = false } }
                    if mayAdd { try await self.add(connection) }
                }
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private var isStopped: Bool { Task.isCancelled || self.state.withLock { $0.isStopped } }

    private func add(_ connection: RedisConnection) async throws {
        let number = self.state.withLock { $0.next }
        let isRevoked = number % 2 == 1 && number / 2 >= Self.life
        let session = isRevoked ? number / 2 - Self.life : number
        let id = try await connection.addSession("s\(session)", isRevoked ? "revoked" : "active")
        self.state.withLock { state in
            state.next += 1
            state.log.append(Entry(id: id, session: session, isRevoked: isRevoked, time: .now))
        }
    }
}
