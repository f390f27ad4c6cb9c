import NIOCore
import Synchronization

/// A connection of a door, as its event loop sees it.
protocol DoorConnectionHandler: AnyObject {
    /// Closes the connection if its client is too slow, or if it has been idle for too long.
    func closeIfLate()

    /// Closes the connection if no request is in flight.
    func closeIfIdle()
}

/// The connections of one event loop of a door; used on that loop only.
final class DoorLoop {
    /// Seconds since the start.
    private(set) var tick = 0
    /// Whether the door closes, so that each response is the last of its connection.
    private(set) var isStopping = false
    private var handlers: [ObjectIdentifier: any DoorConnectionHandler] = [:]

    /// Adds a connection.
    func add(_ handler: any DoorConnectionHandler) {
        self.handlers[ObjectIdentifier(handler)] = handler
    }

    /// Removes a connection.
    func remove(_ handler: any DoorConnectionHandler) {
        self.handlers[ObjectIdentifier(handler)] = nil
    }

    /// Closes connections whose time is up; called every second. One timer for all, because a timer for each request
    /// would cost more than the rest of it.
    func sweep() {
        self.tick += 1
        for handler in Array(self.handlers.values) { handler.closeIfLate() }
    }

    /// Closes connections without a request in flight; the others close after their response.
    func stop() {
        self.isStopping = true
        for handler in Array(self.handlers.values) { handler.closeIfIdle() }
    }
}

/// The number of connections of a door.
final class DoorConnections: Sendable {
    /// The maximum number of open connections.
    let limit: Int
    private let open = Atomic<Int>(0)

    /// Creates a counter with a limit.
    init(limit: Int) {
        self.limit = limit
    }

    /// The number of open connections.
    var count: Int { self.open.load(ordering: .relaxed) }

    /// Takes a place; returns `false` if there is none.
    func enter() -> Bool {
        if self.open.wrappingAdd(1, ordering: .relaxed).newValue <= self.limit { return true }
        self.leave()
        return false
    }

    /// Gives a place back.
    func leave() {
        self.open.wrappingSubtract(1, ordering: .relaxed)
    }
}
