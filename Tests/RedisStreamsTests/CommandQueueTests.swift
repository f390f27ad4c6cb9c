import Testing

@testable import RedisStreams

@Suite struct CommandQueueTests {
    private let lost = RedisError(.closed, "lost", isTransient: true)

    private func waiter(_ arrival: CommandQueue<String>.Arrival) -> String? {
        if case .deliver(let waiter) = arrival { waiter } else { nil }
    }

    @Test("Replies belong to the commands in their order, also over many turns of the ring")
    func order() {
        var queue = CommandQueue<String>()
        for round in 0..<50 {
            for index in 0..<(round % 7 + 1) {
                _ = queue.submit("\(round).\(index)", bytes: 1, deadline: 1)
            }
            for index in 0..<(round % 7 + 1) {
                #expect(self.waiter(queue.replyArrived()) == "\(round).\(index)")
            }
        }
        #expect(queue.count == 0)
    }

    @Test("The timer is set for the first command, and again only for an earlier deadline")
    func timer() {
        var queue = CommandQueue<String>()
        #expect(queue.submit("a", bytes: 1, deadline: 100) == .write(timer: 100))
        #expect(queue.submit("b", bytes: 1, deadline: 200) == .write(timer: nil))
        #expect(queue.submit("c", bytes: 1, deadline: 50) == .write(timer: 50))
    }

    @Test("A timer that fires for a command that is answered is set again for the earliest that is not")
    func timerAgain() {
        var queue = CommandQueue<String>()
        _ = queue.submit("a", bytes: 1, deadline: 100)
        _ = queue.submit("b", bytes: 1, deadline: 300)
        _ = queue.submit("c", bytes: 1, deadline: 200)
        _ = queue.replyArrived()
        guard case .again(at: 200) = queue.timerFired(now: 100) else {
            Issue.record("the timer should be set for the earliest deadline")
            return
        }
        guard case .timedOut = queue.timerFired(now: 200) else {
            Issue.record("a command whose time is up should end the connection")
            return
        }
    }

    @Test("A timer that fires when nobody waits rests, and the next command sets it again")
    func timerRests() {
        var queue = CommandQueue<String>()
        _ = queue.submit("a", bytes: 1, deadline: 100)
        _ = queue.replyArrived()
        guard case .rest = queue.timerFired(now: 100) else {
            Issue.record("nobody waits")
            return
        }
        #expect(queue.submit("b", bytes: 1, deadline: 500) == .write(timer: 500))
    }

    @Test("Closing returns all who wait once, in order, and refuses what comes later with the same reason")
    func close() {
        var queue = CommandQueue<String>()
        for waiter in ["a", "b", "c", "d", "e"] { _ = queue.submit(waiter, bytes: 1, deadline: 1) }
        _ = queue.replyArrived()
        #expect(queue.close(self.lost) == ["b", "c", "d", "e"])
        #expect(queue.close(.closedHere).isEmpty)
        #expect(queue.submit("f", bytes: 1, deadline: 1) == .refuse(self.lost))
        guard case .ignore = queue.replyArrived() else {
            Issue.record("a reply after the end belongs to nobody")
            return
        }
        guard case .rest = queue.timerFired(now: 1000) else {
            Issue.record("nobody waits after the end")
            return
        }
    }

    @Test("A reply that nobody waits for is unexpected")
    func unexpected() {
        var queue = CommandQueue<String>()
        guard case .unexpected = queue.replyArrived() else {
            Issue.record("nothing was asked")
            return
        }
    }

    @Test("Too many commands are refused until one is answered")
    func commandLimit() {
        var queue = CommandQueue<String>()
        for _ in 0..<CommandQueue<String>.commandLimit { _ = queue.submit("a", bytes: 1, deadline: 1) }
        guard case .refuse(let error) = queue.submit("b", bytes: 1, deadline: 1) else {
            Issue.record("one above the limit should be refused")
            return
        }
        #expect(error.code == .tooManyCommands)
        _ = queue.replyArrived()
        #expect(queue.submit("b", bytes: 1, deadline: 1) == .write(timer: nil))
    }

    @Test("Too many bytes are refused, but one large command alone is sent")
    func byteLimit() {
        var queue = CommandQueue<String>()
        let limit = CommandQueue<String>.byteLimit
        #expect(queue.submit("a", bytes: limit * 2, deadline: 1) == .write(timer: 1))
        guard case .refuse = queue.submit("b", bytes: 1, deadline: 1) else {
            Issue.record("the limit is reached")
            return
        }
        _ = queue.replyArrived()
        #expect(queue.submit("b", bytes: limit, deadline: 1) == .write(timer: nil))
    }
}
