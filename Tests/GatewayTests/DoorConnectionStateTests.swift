import Testing

@testable import Gateway

@Suite struct DoorConnectionStateTests {
    /// A connection that counts how often the list asks it to close.
    private final class Connection: DoorConnectionHandler {
        private(set) var late = 0
        private(set) var idle = 0

        func closeIfLate() { self.late += 1 }
        func closeIfIdle() { self.idle += 1 }
    }

    @Test("A connection is in the list until it leaves, and gives its place back once")
    func membership() {
        let (loop, connections) = (DoorLoop(), DoorConnections(limit: 2))
        let handlers = [Connection(), Connection()]
        #expect(connections.enter() && connections.enter() && !connections.enter())
        var first = DoorConnectionState(loop, connections)
        var second = DoorConnectionState(loop, connections)
        first.enter(handlers[0])
        second.enter(handlers[1])
        loop.sweep()
        #expect(handlers.map(\.late) == [1, 1])
        let hasLeft = [first.leave(handlers[0]), first.leave(handlers[0])]
        #expect(hasLeft == [true, false] && connections.count == 1)
        let (isFirstGone, isSecondGone) = (first.hasLeft, second.hasLeft)
        #expect(isFirstGone && !isSecondGone)
        loop.sweep()
        loop.stop()
        #expect(handlers.map(\.late) == [1, 2] && handlers.map(\.idle) == [0, 1])
        let isGone = second.leave(handlers[1])
        #expect(isGone && connections.count == 0)
    }

    @Test("A connection that never entered the list gives its place back too")
    func neverEntered() {
        let connections = DoorConnections(limit: 1)
        #expect(connections.enter())
        var state = DoorConnectionState(DoorLoop(), connections)
        let isGone = state.leave(Connection())
        #expect(isGone && connections.count == 0)
    }

    @Test("The time since the latest step is counted in seconds of the loop")
    func time() {
        let loop = DoorLoop()
        loop.sweep()
        var state = DoorConnectionState(loop, DoorConnections(limit: 1))
        for _ in 0..<3 { loop.sweep() }
        let before = [2, 3].map { state.isIdle(for: $0) }
        state.touch()
        let touched = state.isIdle(for: 0)
        loop.sweep()
        let after = [0, 1].map { state.isIdle(for: $0) }
        #expect(before == [true, false] && !touched && after == [true, false])
    }

    /// An event of a connection: it is to read, or can perhaps proceed again.
    enum Step {
        case read(canProceed: Bool)
        case release(canProceed: Bool)
    }

    @Test(
        "A read is held back while the connection cannot proceed, and happens once when it can",
        arguments: [
            ([.read(canProceed: true), .release(canProceed: true)], [true, false]),
            (
                [.read(canProceed: false), .release(canProceed: false), .release(canProceed: true)],
                [false, false, true]
            ),
            (
                [.read(canProceed: false), .release(canProceed: true), .release(canProceed: true)],
                [false, true, false]
            ),
            ([.read(canProceed: false), .read(canProceed: false), .release(canProceed: true)], [false, false, true]),
            ([.release(canProceed: true), .read(canProceed: true)], [false, true]),
        ] as [([Step], [Bool])])
    func reads(steps: [Step], expected: [Bool]) {
        var state = DoorConnectionState(DoorLoop(), DoorConnections(limit: 1))
        var found: [Bool] = []
        for step in steps {
            switch step {
            case .read(let canProceed): found.append(state.mayRead(canProceed))
            case .release(let canProceed): found.append(state.releaseRead(canProceed))
            }
        }
        #expect(found == expected)
        let isHeld = state.isReadHeld
        #expect(!isHeld)
    }
}
