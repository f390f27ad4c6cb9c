import NIOCore

/// The connections of one event loop of the Redis door; used on that loop only.
///
/// Passes changes on to clients that cache, and invalidates everything when the store becomes stale.
final class RedisDoorLoop {
    /// Closes late connections.
    let connections = DoorLoop()
    /// The changes and messages for this loop.
    let inbox: RedisInbox
    private let parts: RedisDoorParts
    private let eventLoop: any EventLoop
    /// The connections that take invalidations or messages, by number.
    private var targets: [UInt64: RedisDoorHandler] = [:]
    /// The number of answers of the door when everything was last invalidated because the store was stale.
    private var droppedAt: UInt64?
    private var check: Scheduled<Void>?

    /// Creates the loop's state, and makes it the receiver of its inbox; to be called on the event loop.
    init(_ parts: RedisDoorParts, _ inbox: RedisInbox, _ eventLoop: any EventLoop) {
        self.parts = parts
        self.inbox = inbox
        self.eventLoop = eventLoop
        let bound = NIOLoopBound(Weak(self), eventLoop: eventLoop)
        inbox.setWake { eventLoop.execute { bound.value.loop?.deliver() } }
    }

    /// A reference that keeps nothing alive: the inbox is older than its loop, and outlives it.
    private struct Weak {
        weak var loop: RedisDoorLoop?

        init(_ loop: RedisDoorLoop) {
            self.loop = loop
        }
    }

    /// Adds a connection, or removes it, according to whether it takes invalidations or messages.
    func setTarget(_ handler: RedisDoorHandler, _ isTarget: Bool) {
        self.targets[handler.id] = isTarget ? handler : nil
        if isTarget { self.checkFreshness() }
    }

    /// Called every second.
    func sweep() {
        self.connections.sweep()
        // The timer of `checkFreshness` does not run while the machine is suspended.
        self.checkFreshness()
    }

    /// Ends the connections.
    func stop() {
        self.check?.cancel()
        self.check = nil
        self.connections.stop()
    }

    /// Notes that the loop has read snapshots that clients may keep.
    func noteAnswers() {
        if self.targets.isEmpty, self.parts.threads == 1 { return }
        self.parts.noteAnswer()
        // Since the store was stale, it has become fresh.
        if self.droppedAt != nil { self.checkFreshness() }
    }

    /// Invalidates everything if the store is stale, and sets the time of the next check: the moment at which
    /// the store becomes stale unless its freshness is confirmed before.
    private func checkFreshness() {
        self.check?.cancel()
        self.check = nil
        if self.targets.isEmpty || self.connections.isStopping { return }
        var delay = RedisLimits.checkInterval
        if self.parts.store.refusal == nil {
            self.droppedAt = nil
            if let time = self.parts.store.timeUntilStale {
                let (seconds, attoseconds) = time.components
                let nanoseconds = TimeAmount.nanoseconds(min(seconds, 1) * 1_000_000_000 + attoseconds / 1_000_000_000)
                delay = max(min(nanoseconds, delay), RedisLimits.shortestCheck)
            }
        } else {
            // Before the invalidation, so that an answer meanwhile is not taken for one before it.
            let answers = self.parts.answers
            if self.droppedAt != answers { self.dropAll() }
            self.droppedAt = answers
            // Another thread may answer as soon as the store is fresh.
            delay = self.parts.threads == 1 ? delay : RedisLimits.staleCheckInterval
        }
        self.check = self.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.checkFreshness() }
    }

    private func dropAll() {
        for handler in Array(self.targets.values) {
            handler.push { $0.invalidateAll(into: &$1) }
            handler.flushPushes()
        }
    }

    /// Writes the changes and messages of the inbox.
    func deliver() {
        let mail = self.inbox.take()
        if mail.isEmpty { return }
        let handlers = Array(self.targets.values)
        if mail.isReset {
            for handler in handlers { handler.push { $0.invalidateAll(into: &$1) } }
        } else {
            for client in mail.overfull { self.targets[client]?.push { $0.invalidateAll(into: &$1) } }
            for (key, client) in mail.readers {
                self.targets[client]?.push { $0.invalidate(mail.key(key), into: &$1) }
            }
            if !mail.indices.isEmpty {
                for handler in handlers { handler.push { $0.broadcast(mail, into: &$1) } }
            }
        }
        if mail.hasLostMessages {
            for handler in handlers where handler.isSubscriber { handler.closeSlow() }
        } else {
            for message in mail.messages {
                for handler in handlers { handler.push { $0.publish(message, into: &$1) } }
            }
        }
        for handler in handlers { handler.flushPushes() }
    }
}
