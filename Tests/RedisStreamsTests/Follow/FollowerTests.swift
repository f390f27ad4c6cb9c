import ComponentKit
import Logging
import StageKit
import Testing

@testable import RedisStreams

@Suite struct FollowerTests {
    /// The state that other threads see.
    private final class Board {
        var board = SourceBoard()
    }

    private func follower(_ board: Board) -> Follower {
        var settings = RedisStreamSettings(stream: "s")
        settings.start = .beginning
        return Follower(
            settings, database: 0, stores: [], checkpoint: nil,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { $0(&board.board) }
    }

    private func batch(_ ids: ClosedRange<UInt64>) -> EventBatch {
        let batch = EventBatch()
        for number in ids { batch.appendEntry(id(number)) }
        return batch
    }

    @Test("While the first entries of a stream are in flight, a checkpoint has their stream and the cursor before them")
    func firstEntries() {
        let board = Board()
        let follower = self.follower(board)
        #expect(follower.opened(FollowMachine.Opening(facts: nil, start: .zero)) == .read(.zero))
        #expect(board.board.bookmark?.isSeen == false)
        #expect(follower.read(self.batch(7...9), last: id(9)) == nil)
        #expect(board.board.bookmark?.isSeen == true && board.board.bookmark?.cursor == .zero)
        #expect(board.board.bookmark?.generated == id(9) && board.board.status.cursor == .zero)
        follower.delivered(id(9), provenUpTo: nil)
        #expect(board.board.bookmark?.cursor == id(9) && board.board.bookmark?.baseline == nil)
        // The bookmark of later entries changes when they are finished.
        #expect(follower.read(self.batch(10...12), last: id(12)) == nil)
        #expect(board.board.bookmark?.cursor == id(9) && board.board.bookmark?.generated == id(9))
    }

    @Test("A check is in the next checkpoint although the batch after it is not finished")
    func checked() {
        let board = Board()
        let follower = self.follower(board)
        _ = follower.opened(FollowMachine.Opening(facts: facts(nil, generated: 4, added: 4), start: .zero))
        #expect(board.board.bookmark?.generated == id(4))
        _ = follower.read(self.batch(5...6), last: id(6))
        follower.delivered(id(6), provenUpTo: nil)
        #expect(follower.looked(facts(5...20, added: 20)) == nil)
        _ = follower.read(self.batch(7...9), last: id(9))
        #expect(board.board.bookmark?.cursor == id(6) && board.board.bookmark?.generated == id(20))
        #expect(board.board.bookmark?.removed == 4)
    }
}
