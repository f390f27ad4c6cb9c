/// The state of a connection that is the same at every door: its place in the list of its event loop, the time of its
/// latest step, and whether a read is held back. Used on that loop only.
///
/// A connection that cannot make progress, because its client does not take responses, must not read: the requests
/// would wait in memory.
struct DoorConnectionState: ~Copyable {
    private let loop: DoorLoop
    private let connections: DoorConnections
    /// Whether the connection has left the list.
    private(set) var hasLeft = false
    /// Whether a read is held back.
    private(set) var isReadHeld = false
    /// The tick of the loop at the latest step of the connection.
    private var tick: Int

    /// Creates the state of a connection that has entered `connections`.
    init(_ loop: DoorLoop, _ connections: DoorConnections) {
        self.loop = loop
        self.connections = connections
        self.tick = loop.tick
    }

    /// Adds the connection to the list of its event loop.
    func enter(_ handler: any DoorConnectionHandler) {
        self.loop.add(handler)
    }

    /// Removes the connection from the list and gives its place back.
    ///
    /// - Returns: `false` if it has left before: a channel that becomes inactive also removes its handlers.
    mutating func leave(_ handler: any DoorConnectionHandler) -> Bool {
        guard !self.hasLeft else { return false }
        self.hasLeft = true
        self.loop.remove(handler)
        self.connections.leave()
        return true
    }

    // MARK: Time

    /// Notes a step of the connection.
    mutating func touch() {
        self.tick = self.loop.tick
    }

    /// Whether the latest step was more than this number of seconds ago.
    func isIdle(for seconds: Int) -> Bool { self.loop.tick - self.tick > seconds }

    // MARK: Reads

    /// Holds a read back if the connection cannot make progress.
    ///
    /// - Returns: Whether to read now.
    mutating func mayRead(_ canProceed: Bool) -> Bool {
        if !canProceed { self.isReadHeld = true }
        return canProceed
    }

    /// Releases a read that was held back, if the connection can make progress again.
    ///
    /// - Returns: Whether to read now.
    mutating func releaseRead(_ canProceed: Bool) -> Bool {
        guard canProceed, self.isReadHeld else { return false }
        self.isReadHeld = false
        return true
    }
}
