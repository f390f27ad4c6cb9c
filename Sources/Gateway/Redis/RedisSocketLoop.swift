import NIOCore
import Sockets

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A thread of the Redis door that reads and writes the sockets of its connections itself.
final class RedisSocketLoop {
    /// The state that the connections share.
    let door: RedisDoorLoop
    /// The memory of all reads. Requests that must wait keep it, and the next read allocates another one.
    var buffer = ByteBuffer()
    private let parts: RedisDoorParts
    private let metrics: RedisMetrics
    private let post: RedisSocketPost
    private let timer: CheckTimer
    private var poller: Poller
    /// The connections, by descriptor. An event of a connection that was closed in the same turn, and whose descriptor
    /// another one has got meanwhile, does no harm: a read finds nothing.
    private var connections: [RedisSocketConnection?] = []
    private var yielded: [RedisSocketConnection] = []
    private var acceptor: RedisSocketAcceptor?
    /// The time after the last events.
    private var now: NIODeadline
    private var nextSecond: NIODeadline
    private var isDone = false

    /// The time of the next check of the store's freshness.
    private final class CheckTimer {
        var deadline: NIODeadline?
    }

    /// Creates a loop without connections; to be called on its thread.
    ///
    /// - Parameters:
    ///   - parts: The state of the door.
    ///   - inbox: The changes and messages for this thread.
    ///   - metrics: The door's counters.
    ///   - post: What other threads leave for this one.
    ///   - acceptor: Accepts the connections of the door, if this thread does that.
    /// - Throws: The error of the system.
    init(
        _ parts: RedisDoorParts, _ inbox: RedisInbox, _ metrics: RedisMetrics, _ post: RedisSocketPost,
        _ acceptor: RedisSocketAcceptor? = nil
    ) throws(IOError) {
        let poller = try Poller()
        guard poller.add(post.wakeUp.descriptor, .read), acceptor?.watch(poller) ?? true else {
            throw IOError(errnoCode: ENOMEM, reason: "epoll_ctl")
        }
        let timer = CheckTimer()
        self.door = RedisDoorLoop(parts, inbox) { delay in timer.deadline = delay.map { NIODeadline.now() + $0 } }
        self.parts = parts
        self.metrics = metrics
        self.post = post
        self.timer = timer
        self.acceptor = acceptor
        self.now = .now()
        self.nextSecond = self.now + .seconds(1)
        self.poller = poller
        inbox.setWake { [wakeUp = post.wakeUp] in wakeUp.signal() }
    }

    /// Serves until `post.stop`; then no connection is left.
    func run() {
        while !self.isDone { self.turn() }
    }

    /// Waits for events and handles them.
    ///
    /// - Parameter isBlocking: Whether to wait.
    /// - Returns: Whether anything has happened.
    @discardableResult
    func turn(isBlocking: Bool = true) -> Bool {
        let count = self.poller.wait(milliseconds: isBlocking ? self.timeout() : 0)
        for index in 0..<count {
            let event = self.poller.event(index)
            if let connection = self.connection(event.descriptor) {
                connection.handle(event)
            } else if event.descriptor == self.post.wakeUp.descriptor {
                self.takePost()
            } else {
                self.accept(event.descriptor)
            }
        }
        // More sockets may be ready than one call returns, the signal of other threads among them: a revocation must not
        // wait for all of them.
        if count == Poller.batch { self.takePost() }
        let hasYielded = self.resumeYielded()
        self.now = .now()
        self.keepTime()
        return count > 0 || hasYielded
    }

    @inline(__always)
    private func connection(_ descriptor: Int32) -> RedisSocketConnection? {
        let index = Int(descriptor)
        return index < self.connections.count ? self.connections[index] : nil
    }

    // MARK: Connections

    /// Adds a connection that has entered the door's connections, and takes over its descriptor.
    func add(_ descriptor: Int32) {
        let connection = RedisSocketConnection(descriptor, self, self.parts, self.metrics)
        guard self.poller.add(descriptor, .read) else {
            // The system has no memory for it; its lifetime, and with it that of the socket, ends here.
            return self.parts.connections.leave()
        }
        let missing = Int(descriptor) + 1 - self.connections.count
        if missing > 0 { self.connections += Array(repeating: nil, count: missing) }
        self.connections[Int(descriptor)] = connection
        connection.enter()
    }

    /// Removes a connection whose socket is about to be closed.
    func remove(_ connection: RedisSocketConnection) {
        self.connections[Int(connection.descriptor)] = nil
    }

    /// Watches the socket of a connection for other events.
    func watch(_ connection: RedisSocketConnection, _ interest: Poller.Interest) {
        self.poller.change(connection.descriptor, interest)
    }

    /// Has a connection continue when the others have had their turn.
    func yield(_ connection: RedisSocketConnection) {
        self.yielded.append(connection)
    }

    private func resumeYielded() -> Bool {
        if self.yielded.isEmpty { return false }
        // Not more than sockets in a turn, so that events do not wait for all of them.
        let yielded = self.yielded.prefix(Poller.batch)
        self.yielded = Array(self.yielded.dropFirst(Poller.batch))
        for connection in yielded { connection.resume() }
        return true
    }

    // MARK: Other threads

    private func takePost() {
        self.post.wakeUp.clear()
        let (descriptors, isStopping) = self.post.take()
        for descriptor in descriptors { self.add(descriptor) }
        self.door.deliver()
        if isStopping { self.stop() }
    }

    private func accept(_ listener: Int32) {
        guard let descriptors = self.acceptor?.accept(listener, self.poller) else { return }
        for descriptor in descriptors { self.add(descriptor) }
    }

    private func stop() {
        self.acceptor = nil
        self.door.stop()
        self.isDone = true
    }

    // MARK: Time

    /// The time to the next thing to do, in milliseconds, rounded up.
    private func timeout() -> Int32 {
        if !self.yielded.isEmpty { return 0 }
        var next = self.nextSecond
        if let deadline = self.timer.deadline { next = min(next, deadline) }
        if let deadline = self.acceptor?.pausedUntil { next = min(next, deadline) }
        let nanoseconds = max(0, (next - .now()).nanoseconds)
        return Int32(min(1000, (nanoseconds + 999_999) / 1_000_000))
    }

    private func keepTime() {
        if let deadline = self.timer.deadline, deadline <= self.now {
            self.timer.deadline = nil
            self.door.checkFreshness()
        }
        self.acceptor?.resume(self.now, self.poller)
        if self.nextSecond <= self.now {
            // Not one for each second of a machine that was suspended.
            self.nextSecond = self.now + .seconds(1)
            self.door.sweep()
        }
    }
}
