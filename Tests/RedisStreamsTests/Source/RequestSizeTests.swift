import RedisClient
import Testing

@testable import RedisStreams

@Suite struct RequestSizeTests {
    @Test("Each failure halves the requested number, down to one, and replies double it again")
    func halves() {
        var size = RequestSize()
        #expect(size.count(128) == 128 && !size.isReduced)
        for expected in [64, 32, 16, 8, 4, 2, 1, 1] {
            size.failed()
            #expect(size.count(128) == expected)
        }
        var replies = 0
        while size.isReduced {
            _ = size.succeeded()
            replies += 1
            #expect(replies < 10_000)
        }
        #expect(size.count(128) == 128)
    }

    @Test("A size that fails repeatedly is tried less and less often", arguments: [3, 17, 100_000])
    func fits(largest: Int) {
        // Replies of more than so many fail.
        var size = RequestSize()
        var (failures, replies) = (0, 0)
        while replies < 10_000 {
            if size.count(100_000) > largest {
                size.failed()
                failures += 1
            } else {
                replies += 1
                _ = size.succeeded()
            }
            #expect(failures < 200)
            if failures >= 200 { return }
        }
        #expect(failures < 70)
        size.reachedEnd()
        #expect(size == RequestSize())
    }

    @Test(
        "A smaller request is tried only after failures that a large reply can cause",
        arguments: RedisError.Code.allCases)
    func causes(code: RedisError.Code) {
        let isTooMuch = [.timedOut, .closed, .replyTooLarge].contains(code)
        #expect(RedisError(code, "x", isTransient: code != .replyTooLarge).mayBeTooMuch == isTooMuch)
        #expect(!RedisError(.replyTooLarge, "no memory", isTransient: true).mayBeTooMuch)
    }
}
