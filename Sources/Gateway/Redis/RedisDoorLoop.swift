import NIOCore

/// The connections of one thread of the Redis door; used on that thread only.
///
/// Passes changes on to clients that cache, and invalidates everything when the store becomes stale.
final class RedisDoorLoop {
    /// Closes late connections.
    let connections = DoorLoop()
    /// The changes and messages for this loop.
    let inbox: RedisInbox
    private let parts: RedisDoorParts
    private let setTimer: (TimeAmount?) -> Void
    /// The connections that take invalidations or messages, by number.
    private var targets: [UInt64: any RedisDoorShell] = [:]
    /// The number of answers of the door when everything was last invalidated because the store was stale.
    private var droppedAt: UInt64?

    /// Creates the state of a thread.
    ///
    /// - Parameters:
    ///   - parts: The state of the door.
    ///   - inbox: The changes and messages for this thread. The caller has it wake the thread, which calls `deliver`.
    ///   - setTimer: Sets the time until `checkFreshness` is to be called, in place of an earlier one; `nil` for never.
    init(_ parts: RedisDoorParts, _ inbox: RedisInbox, setTimer: @escaping (TimeAmount?) -> Void) {
        self.parts = parts
        self.inbox = inbox
        self.setTimer = setTimer
    }

    /// Adds a connection that takes invalidations or messages.
    func addTarget(_ connection: any RedisDoorShell, _ id: UInt64) {
        self.targets[id] = connection
        // It may have read sessions before it became a target, and the others were notified already.
        if self.parts.store.refusal != nil, self.droppedAt == self.parts.answers {
            connection.push { $0.invalidateAll(into: &$1) }
            connection.flushPushes()
        }
        self.checkFreshness()
    }

    /// Removes such a connection.
    func removeTarget(_ id: UInt64) {
        self.targets[id] = nil
    }

    /// Called every second.
    func sweep() {
        self.connections.sweep()
        // The timer of `checkFreshness` does not run while the machine is suspended.
        self.checkFreshness()
    }

    /// Ends the connections.
    func stop() {
        self.setTimer(nil)
        self.connections.stop()
    }

    /// Whether it matters that sessions are read, because clients may keep them.
    var wantsAnswers: Bool { !self.targets.isEmpty || self.parts.threads > 1 }

    /// Notes that the loop has read sessions that clients may keep.
    func noteAnswers() {
        self.parts.noteAnswer()
        // Since the store was stale, it has become fresh.
        if self.droppedAt != nil { self.checkFreshness() }
    }

    /// Invalidates everything if the store is stale, and sets the time of the next check: the moment at which
    /// the store becomes stale unless its freshness is confirmed before.
    func checkFreshness() {
        if self.targets.isEmpty || self.connections.isStopping { return self.setTimer(nil) }
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
        self.setTimer(delay)
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
