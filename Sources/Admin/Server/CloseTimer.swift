import NIOCore

/// Closes a connection when its time is up, unless it is stopped before. Used on the connection's event loop alone.
struct CloseTimer {
    private let limit: TimeAmount
    private var deadline: Scheduled<Void>?

    /// Makes a timer that does not run yet and gives this long each time.
    init(limit: TimeAmount) {
        self.limit = limit
    }

    /// Gives the whole time, from now on.
    mutating func start(_ context: ChannelHandlerContext) {
        self.stop()
        self.deadline = context.eventLoop.assumeIsolated().scheduleTask(in: self.limit) {
            context.close(promise: nil)
        }
    }

    /// Gives all the time there is.
    mutating func stop() {
        self.deadline?.cancel()
        self.deadline = nil
    }
}
