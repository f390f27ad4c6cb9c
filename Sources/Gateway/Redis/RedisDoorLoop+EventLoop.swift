import NIOCore

extension RedisDoorLoop {
    /// Creates the state of an event loop, and makes it the receiver of its inbox; to be called on the event loop.
    static func make(_ parts: RedisDoorParts, _ inbox: RedisInbox, on eventLoop: any EventLoop) -> RedisDoorLoop {
        let timer = EventLoopTimer(eventLoop)
        let loop = RedisDoorLoop(parts, inbox) { timer.set($0) }
        timer.loop = loop
        let bound = NIOLoopBound(timer, eventLoop: eventLoop)
        inbox.setWake { eventLoop.execute { bound.value.loop?.deliver() } }
        return loop
    }
}

/// The timer of a loop. Keeps nothing alive: the inbox is older than its loop, and outlives it.
private final class EventLoopTimer {
    weak var loop: RedisDoorLoop?
    private let eventLoop: any EventLoop
    private var scheduled: Scheduled<Void>?

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func set(_ delay: TimeAmount?) {
        self.scheduled?.cancel()
        self.scheduled = delay.map { delay in
            self.eventLoop.assumeIsolated().scheduleTask(in: delay) { () -> Void in self.loop?.checkFreshness() }
        }
    }
}
