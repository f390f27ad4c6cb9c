import Testing

@testable import RedisClient

@Suite struct CommandQueueTests {
    private let lost = RedisError(.closed, "lost", isTransient: true)

    private func waiter(_ arrival: CommandQueue<String>.Arrival) -> String? {
        if case .deliver(let waiter) = arrival { waiter } else { nil }
    }

    /// Fires the timer as often as it is asked for, each time exactly when it is due, up to a time.
    private func run(
        _ queue: inout CommandQueue<String>, from first: UInt64, upTo end: UInt64
    ) -> CommandQueue<String>.Alarm {
        var now = first
        while true {
            let alarm = queue.timerFired(now: now)
            guard case .again(let next) = alarm, next <= end else { return alarm }
            now = next
        }
    }

    @Test("Replies match the commands in order, also over many turns of the ring")
    func order() {
        var queue = CommandQueue<String>()
        for round in 0..<50 {
            for index in 0..<(round % 7 + 1) {
                _ = queue.submit("\(round).\(index)", bytes: 1, silence: 1, now: 0)
            }
            for index in 0..<(round % 7 + 1) {
                #expect(self.waiter(queue.replyArrived(now: 0)) == "\(round).\(index)")
            }
        }
        #expect(queue.count == 0)
    }

    @Test("The timer is set for the first command, and again only for an earlier deadline")
    func timer() {
        var queue = CommandQueue<String>()
        #expect(queue.submit("a", bytes: 1, silence: 100, now: 0) == .write(timer: 100))
        #expect(queue.submit("b", bytes: 1, silence: 200, now: 0) == .write(timer: nil))
        #expect(queue.submit("c", bytes: 1, silence: 50, now: 0) == .write(timer: 50))
    }

    static let second: UInt64 = 1_000_000_000

    @Test("A server that is silent for the whole timeout is late at the second check")
    func silent() {
        var queue = CommandQueue<String>()
        _ = queue.submit("a", bytes: 1, silence: Self.second, of: .read, now: 0)
        let look = CommandQueue<String>.secondLook
        #expect(queue.timerFired(now: Self.second) == .again(at: Self.second + look))
        let timeout = ReplyTimeout(duration: .seconds(1), setting: .read)
        #expect(queue.timerFired(now: Self.second + look) == .timedOut(.noAnswer(timeout)))
    }

    @Test("A thread that was busy checks once more and sees what has arrived")
    func busy() {
        var queue = CommandQueue<String>()
        _ = queue.submit("a", bytes: 1, silence: Self.second, now: 0)
        let look = CommandQueue<String>.secondLook
        // Nothing could be read for nine seconds, and the second look comes late as well.
        #expect(queue.timerFired(now: 9 * Self.second) == .again(at: 9 * Self.second + look))
        #expect(queue.timerFired(now: 12 * Self.second) == .again(at: 12 * Self.second + look))
        queue.bytesArrived(now: 12 * Self.second + 1)
        #expect(queue.timerFired(now: 12 * Self.second + look) == .again(at: 13 * Self.second + 1))
    }

    @Test("Bytes extend the deadline, and a reply that stops is late after a full timeout without bytes")
    func bytesExtend() {
        var queue = CommandQueue<String>()
        _ = queue.submit("a", bytes: 1, silence: Self.second, now: 0)
        var due = Self.second
        for step in 1...100 as ClosedRange<UInt64> {
            queue.bytesArrived(now: step * Self.second * 9 / 10)
            if due <= step * Self.second * 9 / 10 + Self.second / 10,
                case .again(let next) = queue.timerFired(now: max(due, step * Self.second * 9 / 10))
            {
                due = next
            }
        }
        #expect(queue.count == 1)
        let timeout = ReplyTimeout.command(.seconds(1))
        #expect(self.run(&queue, from: due, upTo: 1000 * Self.second) == .timedOut(.brokenOff(timeout)))
    }

    @Test("A reply that never ends is late after an hour")
    func endless() {
        var queue = CommandQueue<String>()
        _ = queue.submit("a", bytes: 1, silence: Self.second, now: 0)
        var (now, alarm) = (Self.second / 2, CommandQueue<String>.Alarm.rest)
        while now < 2 * CommandQueue<String>.replyLimit {
            queue.bytesArrived(now: now)
            alarm = queue.timerFired(now: now)
            guard case .again(let next) = alarm else { break }
            now = min(next, now + Self.second / 2)
        }
        #expect(alarm == .timedOut(.endless))
        #expect(now >= CommandQueue<String>.replyLimit && now < CommandQueue<String>.replyLimit + 2 * Self.second)
    }

    @Test("A reply that has arrived has no deadline, and later commands have their full time once it is read")
    func here() {
        var queue = CommandQueue<String>()
        _ = queue.submit("a", bytes: 1, silence: Self.second, now: 0)
        _ = queue.submit("b", bytes: 1, silence: Self.second / 10, now: 0)
        queue.bytesArrived(now: 5)
        queue.replyIsHere()
        guard case .again = self.run(&queue, from: Self.second / 10, upTo: 500 * Self.second) else {
            Issue.record("a reply that is here cannot be late")
            return
        }
        #expect(self.waiter(queue.replyArrived(now: 500 * Self.second)) == "a")
        let due = 500 * Self.second + Self.second / 10
        #expect(queue.timerFired(now: 500 * Self.second) == .again(at: due))
        let timeout = ReplyTimeout.command(.milliseconds(100))
        #expect(self.run(&queue, from: due, upTo: 600 * Self.second) == .timedOut(.noAnswer(timeout)))
    }

    @Test("A command with a short limit after one with a long limit waits for it, and then has its own time")
    func behind() {
        var queue = CommandQueue<String>()
        _ = queue.submit("read", bytes: 1, silence: 10 * Self.second, of: .read, now: 0)
        _ = queue.submit("ping", bytes: 1, silence: Self.second, now: 0)
        guard case .again(let next) = self.run(&queue, from: Self.second, upTo: 5 * Self.second) else {
            Issue.record("the first command has ten seconds")
            return
        }
        #expect(next <= 6 * Self.second)
        queue.bytesArrived(now: 5 * Self.second)
        #expect(self.waiter(queue.replyArrived(now: 0)) == "read")
        let timeout = ReplyTimeout.command(.seconds(1))
        #expect(self.run(&queue, from: next, upTo: 8 * Self.second) == .timedOut(.noAnswer(timeout)))
    }

    @Test("A timer that fires when nothing is pending stops, and the next command sets it again")
    func timerRests() {
        var queue = CommandQueue<String>()
        _ = queue.submit("a", bytes: 1, silence: 100, now: 0)
        _ = queue.replyArrived(now: 0)
        #expect(queue.timerFired(now: 100) == .rest)
        #expect(queue.submit("b", bytes: 1, silence: 400, now: 100) == .write(timer: 500))
    }

    @Test("Closing fails all waiters once, in order, and refuses later commands with the same reason")
    func close() {
        var queue = CommandQueue<String>()
        for waiter in ["a", "b", "c", "d", "e"] { _ = queue.submit(waiter, bytes: 1, silence: 1, now: 0) }
        _ = queue.replyArrived(now: 0)
        #expect(queue.close(self.lost) == ["b", "c", "d", "e"])
        #expect(queue.close(.closedHere).isEmpty)
        #expect(queue.submit("f", bytes: 1, silence: 1, now: 0) == .refuse(self.lost))
        guard case .ignore = queue.replyArrived(now: 0) else {
            Issue.record("a reply after the end belongs to nobody")
            return
        }
        #expect(queue.timerFired(now: 1000) == .rest)
    }

    @Test("A reply without a pending command is unexpected")
    func unexpected() {
        var queue = CommandQueue<String>()
        guard case .unexpected = queue.replyArrived(now: 0) else {
            Issue.record("nothing was asked")
            return
        }
    }

    @Test("Too many commands are refused until one is answered")
    func commandLimit() {
        var queue = CommandQueue<String>()
        for _ in 0..<CommandQueue<String>.commandLimit { _ = queue.submit("a", bytes: 1, silence: 1, now: 0) }
        guard case .refuse(let error) = queue.submit("b", bytes: 1, silence: 1, now: 0) else {
            Issue.record("one above the limit should be refused")
            return
        }
        #expect(error.code == .tooManyCommands)
        _ = queue.replyArrived(now: 0)
        #expect(queue.submit("b", bytes: 1, silence: 1, now: 0) == .write(timer: nil))
    }

    @Test("Too many bytes are refused, but one large command alone is sent")
    func byteLimit() {
        var queue = CommandQueue<String>()
        let limit = CommandQueue<String>.byteLimit
        #expect(queue.submit("a", bytes: limit * 2, silence: 1, now: 0) == .write(timer: 1))
        guard case .refuse = queue.submit("b", bytes: 1, silence: 1, now: 0) else {
            Issue.record("the limit is reached")
            return
        }
        _ = queue.replyArrived(now: 0)
        #expect(queue.submit("b", bytes: limit, silence: 1, now: 0) == .write(timer: nil))
    }
}
