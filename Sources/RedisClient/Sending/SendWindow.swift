import DequeModule
import StageKit

/// A limit on the commands in flight that several callers share.
///
/// Callers enter in the order in which they ask. A caller for which there is no room waits until others have left. A
/// caller that sends in several steps enters for each step, so callers take turns. Usable from any task.
package final class SendWindow: Sendable {
    private let state: OrderedMutex<WindowQueue<OneShot<Bool>>>

    /// Creates an empty window with these limits.
    package init(commands: Int = CommandSender.windowCommands, bytes: Int = CommandSender.windowBytes) {
        self.state = OrderedMutex(WindowQueue(commands: commands, bytes: bytes))
    }

    /// Waits until there is room.
    ///
    /// - Parameter share: The commands to send. Pass the same share to `leave` when they are answered or given up.
    /// - Returns: `true` when the caller may send, or `false` if the window was closed.
    package func enter(_ share: WindowShare) async -> Bool {
        let shot = OneShot<Bool>()
        switch self.state.withLock({ $0.enter(share, shot) }) {
        case .entered: return true
        case .closed: return false
        case .waiting: return await shot.value()
        }
    }

    /// Frees a share.
    package func leave(_ share: WindowShare) {
        for shot in self.state.withLock({ $0.leave(share) }) { shot.set(true) }
    }

    /// Closes the window: waiting and later calls of `enter` return `false`.
    package func close() {
        for shot in self.state.withLock({ $0.close() }) { shot.set(false) }
    }
}

/// The size of the commands that a caller is about to send.
package struct WindowShare: Sendable, Equatable {
    /// The number of commands.
    package var commands: Int
    /// The number of bytes.
    package var bytes: Int

    /// Creates a share.
    package init(commands: Int, bytes: Int) {
        self.commands = commands
        self.bytes = bytes
    }
}

/// The callers inside a window and those waiting, first come, first served. Does no waiting itself: `Waiter` is the
/// handle of a waiting caller.
struct WindowQueue<Waiter> {
    /// The result of entering.
    enum Entrance: Equatable {
        /// The caller may send.
        case entered
        /// The caller must wait.
        case waiting
        /// The window is closed.
        case closed
    }

    private let limit: WindowShare
    private var used = WindowShare(commands: 0, bytes: 0)
    private var waiting = Deque<(share: WindowShare, waiter: Waiter)>()
    private var isClosed = false

    /// Creates an empty window with these limits.
    init(commands: Int, bytes: Int) {
        self.limit = WindowShare(commands: commands, bytes: bytes)
    }

    /// Admits a caller if there is room and nobody is waiting; otherwise adds it to the end of the queue.
    mutating func enter(_ share: WindowShare, _ waiter: Waiter) -> Entrance {
        if self.isClosed { return .closed }
        if self.waiting.isEmpty, self.take(share) { return .entered }
        self.waiting.append((share, waiter))
        return .waiting
    }

    /// Frees a share and returns the waiting callers that may send now.
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

    /// Closes the window and returns the waiting callers.
    mutating func close() -> [Waiter] {
        self.isClosed = true
        defer { self.waiting = [] }
        return self.waiting.map(\.waiter)
    }

    /// Takes a share if there is room. A share larger than the window is admitted when the window is empty.
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
