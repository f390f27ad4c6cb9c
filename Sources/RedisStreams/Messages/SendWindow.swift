import Synchronization

/// A bounded number of commands in flight that several callers share.
///
/// Callers enter with what they are about to send, in the order in which they ask; one that finds no room waits until the
/// others have left enough. A caller that sends in several steps queues up for each of them, so callers take turns.
/// Usable from any task.
final class SendWindow: Sendable {
    private let state: Mutex<WindowQueue<OneShot<Bool>>>

    /// An empty window.
    init(commands: Int = CommandSender.windowCommands, bytes: Int = CommandSender.windowBytes) {
        self.state = Mutex(WindowQueue(commands: commands, bytes: bytes))
    }

    /// Waits until there is room; returns whether there is, or `false` after `close`.
    ///
    /// Pass the same share to `leave` when everything is answered, or given up.
    func enter(_ share: WindowShare) async -> Bool {
        let shot = OneShot<Bool>()
        switch self.state.withLock({ $0.enter(share, shot) }) {
        case .entered: return true
        case .closed: return false
        case .waiting: return await shot.value()
        }
    }

    /// Gives a share back.
    func leave(_ share: WindowShare) {
        for shot in self.state.withLock({ $0.leave(share) }) { shot.set(true) }
    }

    /// Lets nobody in any more; those who wait return.
    func close() {
        for shot in self.state.withLock({ $0.close() }) { shot.set(false) }
    }
}

/// What a caller is about to send.
struct WindowShare: Sendable, Equatable {
    /// How many commands.
    var commands: Int
    /// How many bytes they have.
    var bytes: Int
}

/// Who may send and who waits, first come, first served. Pure; `Waiter` is what a caller waits with.
struct WindowQueue<Waiter> {
    /// What becomes of a caller.
    enum Entrance: Equatable {
        /// It may send.
        case entered
        /// It waits.
        case waiting
        /// Nobody sends any more.
        case closed
    }

    private let limit: WindowShare
    private var used = WindowShare(commands: 0, bytes: 0)
    private var waiting = RingBuffer<(share: WindowShare, waiter: Waiter)>()
    private var isClosed = false

    /// An empty window of so many commands and bytes.
    init(commands: Int, bytes: Int) {
        self.limit = WindowShare(commands: commands, bytes: bytes)
    }

    /// Lets a caller in, or has it wait behind those that wait already.
    mutating func enter(_ share: WindowShare, _ waiter: Waiter) -> Entrance {
        if self.isClosed { return .closed }
        if self.waiting.isEmpty, self.take(share) { return .entered }
        self.waiting.append((share, waiter))
        return .waiting
    }

    /// Gives a share back; returns the callers that may send now.
    mutating func leave(_ share: WindowShare) -> [Waiter] {
        self.used.commands -= share.commands
        self.used.bytes -= share.bytes
        var admitted: [Waiter] = []
        while let first = self.waiting.first, self.take(first.share) {
            _ = self.waiting.popFirst()
            admitted.append(first.waiter)
        }
        return admitted
    }

    /// Lets nobody in any more; returns those who wait.
    mutating func close() -> [Waiter] {
        self.isClosed = true
        return self.waiting.removeAll().map(\.waiter)
    }

    /// Takes a share if there is room; one that is larger than the window has it alone.
    private mutating func take(_ share: WindowShare) -> Bool {
        let commands = self.used.commands + share.commands
        let bytes = self.used.bytes + share.bytes
        guard self.used.commands == 0 || (commands <= self.limit.commands && bytes <= self.limit.bytes) else {
            return false
        }
        self.used = WindowShare(commands: commands, bytes: bytes)
        return true
    }
}
