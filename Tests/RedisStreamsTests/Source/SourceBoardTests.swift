import ComponentKit
import StageKit
import Testing

@testable import RedisStreams

@Suite struct SourceBoardTests {
    private static func board(_ milliseconds: UInt64?, isCaughtUp: Bool) -> SourceBoard {
        var board = SourceBoard()
        board.status = SourceStatus(
            state: .reading, cursor: milliseconds.map { EntryID(milliseconds: $0, sequence: 0) }, isCaughtUp: isCaughtUp
        )
        return board
    }

    @Test(
        "Several streams have the state of the stream with the greatest lag",
        arguments: [
            ([(5, false), (3, false)], 3), ([(5, false), (3, true), (0, true)], 5), ([(5, true), (9, true)], 9),
            ([(5, false), (nil, false)], nil), ([(5, false), (nil, true)], 5), ([(nil, true)], nil),
        ] as [([(UInt64?, Bool)], UInt64?)])
    func cursor(streams: [(UInt64?, Bool)], cursor: UInt64?) {
        let boards = streams.map { Self.board($0.0, isCaughtUp: $0.1) }
        #expect(boards.status.cursor?.milliseconds == cursor)
    }

    @Test("Gap detection is on if every stream has it")
    func gaps() {
        var boards = [Self.board(1, isCaughtUp: true), Self.board(2, isCaughtUp: true)]
        #expect(boards.status.detectsGaps)
        boards[1].status.detectsGaps = false
        #expect(!boards.status.detectsGaps)
    }
}
