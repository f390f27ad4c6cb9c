import NIOCore

/// Keeps an event loop looking for input for a while instead of sleeping until there is some: a loop that sleeps is woken
/// late, and with cold caches.
///
/// A loop that has something to do does not wait for input but looks whether there is any, so all this does is to give it
/// something to do. On the event loop's thread alone.
final class BusyPoll {
    private let eventLoop: any EventLoop
    private var end = NIODeadline.uptimeNanoseconds(0)
    private var isTurning = false

    /// Does nothing yet.
    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Keeps the loop from sleeping until then; an earlier time than before ends it sooner.
    func keepAwake(until end: NIODeadline) {
        self.end = end
        guard !self.isTurning else { return }
        self.isTurning = true
        self.turn()
    }

    /// Lets the loop sleep from its next turn on.
    func stop() {
        self.end = .uptimeNanoseconds(0)
    }

    private func turn() {
        guard NIODeadline.now() < self.end else { return self.isTurning = false }
        self.eventLoop.assumeIsolated().execute { self.turn() }
    }
}
