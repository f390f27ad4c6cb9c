import StageKit
import Testing

@testable import RedisClient

@Suite struct SendWindowTests {
    private func share(_ commands: Int, _ bytes: Int = 0) -> WindowShare {
        WindowShare(commands: commands, bytes: bytes)
    }

    @Test("Callers enter while there is room, then wait in the order in which they came")
    func order() {
        var queue = WindowQueue<String>(commands: 10, bytes: 100)
        #expect(queue.enter(self.share(6), "a") == .entered)
        #expect(queue.enter(self.share(5), "b") == .waiting)
        // There is room for it, but another came first.
        #expect(queue.enter(self.share(1), "c") == .waiting)
        #expect(queue.enter(self.share(9), "d") == .waiting)
        #expect(queue.leave(self.share(6)) == ["b", "c"])
        #expect(queue.leave(self.share(1)).isEmpty)
        #expect(queue.leave(self.share(5)) == ["d"])
    }

    @Test("A caller that sends in several steps takes turns with the others")
    func turns() {
        var queue = WindowQueue<String>(commands: 4, bytes: 100)
        var order: [String] = []
        var left = ["a": 3, "b": 3, "c": 3]
        var entered: [String] = []
        for caller in ["a", "b", "c"] where queue.enter(self.share(4), caller) == .entered { entered.append(caller) }
        while let caller = entered.first {
            entered.removeFirst()
            order.append(caller)
            left[caller, default: 0] -= 1
            entered += queue.leave(self.share(4))
            if left[caller, default: 0] > 0, queue.enter(self.share(4), caller) == .entered { entered.append(caller) }
        }
        #expect(order == ["a", "b", "c", "a", "b", "c", "a", "b", "c"])
    }

    @Test("Bytes are bounded too, and a share larger than the window is sent alone")
    func bytes() {
        var queue = WindowQueue<String>(commands: 10, bytes: 100)
        #expect(queue.enter(self.share(1, 60), "a") == .entered)
        #expect(queue.enter(self.share(1, 50), "b") == .waiting)
        #expect(queue.enter(self.share(1, 500), "large") == .waiting)
        #expect(queue.leave(self.share(1, 60)) == ["b"])
        #expect(queue.leave(self.share(1, 50)) == ["large"])
        #expect(queue.enter(self.share(1, 1), "c") == .waiting)
        #expect(queue.leave(self.share(1, 500)) == ["c"])
    }

    @Test("A closed window admits nothing, and waiters return")
    func closed() async {
        let window = SendWindow(commands: 1, bytes: 1)
        #expect(await window.enter(self.share(1)))
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<3 { group.addTask { await window.enter(self.share(1)) } }
            window.close()
            for await isIn in group { #expect(!isIn) }
        }
        window.leave(self.share(1))
        #expect(await window.enter(self.share(1)) == false)
    }

    /// What is in flight.
    private final class Traffic: Sendable {
        private let counts = OrderedMutex((now: 0, most: 0, done: 0))

        var now: Int { self.counts.withLock { $0.now } }
        var most: Int { self.counts.withLock { $0.most } }
        var done: Int { self.counts.withLock { $0.done } }

        func entered(_ commands: Int) {
            self.counts.withLock { counts in
                counts.now += commands
                counts.most = max(counts.most, counts.now)
            }
        }

        func left(_ commands: Int) {
            self.counts.withLock { counts in
                counts.now -= commands
                counts.done += 1
            }
        }
    }

    @Test("However many callers there are, no more is in flight than the window holds")
    func crowd() async {
        let window = SendWindow(commands: 10, bytes: 1000)
        let traffic = Traffic()
        await withTaskGroup(of: Void.self) { group in
            for caller in 0..<64 {
                group.addTask {
                    for _ in 0..<20 {
                        let share = WindowShare(commands: 1 + caller % 4, bytes: 0)
                        guard await window.enter(share) else { return }
                        traffic.entered(share.commands)
                        await Task.yield()
                        traffic.left(share.commands)
                        window.leave(share)
                    }
                }
            }
        }
        #expect(traffic.now == 0 && (1...10).contains(traffic.most) && traffic.done == 64 * 20)
    }
}
