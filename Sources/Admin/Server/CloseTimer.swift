import NIOCore

/// Closes a connection when its time is up, unless stopped before. Must be used on the connection's event loop.
struct CloseTimer {
    private let limit: TimeAmount
    private var deadline: Scheduled<Void>?

    /// Creates a stopped timer with this time limit.
    init(limit: TimeAmount) {
        self.limit = limit
    }

    /// Starts the timer with the full time limit.
    mutating func start(_ context: ChannelHandlerContext) {
        self.stop()
        self.deadline = context.eventLoop.assumeIsolated().scheduleTask(in: self.limit) {
            context.close(promise: nil)
        }
    }

    /// Stops the timer.
    mutating func stop() {
        self.deadline?.cancel()
        self.deadline = nil
    }
}
