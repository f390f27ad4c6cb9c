import NIOCore
import NIOEmbedded
import RESP
import StageKit
import Testing

@testable import RedisClient

private func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }
private func list(_ elements: [String]) -> String { "*\(elements.count)\r\n" + elements.joined() }

/// The reply to XREAD with entries of one field, whose ids are 1-0, 2-0 and so on.
private func streamReply(entries: Int) -> String {
    let entries = (1...entries).map { list([bulk("\($0)-0"), list([bulk("f"), bulk("v")])]) }
    return list([list([bulk("s"), list(entries)])])
}

/// Replies on their way from the socket to who waits for them.
@Suite struct ReplyArrivalTests {
    /// A channel with a handler, which has sent a read that asks for the outline of at least three entries.
    private struct Setup {
        let channel = EmbeddedChannel()
        let handler: CommandHandler
        let pending = PendingReply(outlinedFrom: 3)

        init() throws {
            let settings = RedisSettings(address: try RedisAddress("127.0.0.1:6379"))
            self.handler = CommandHandler(settings, EventLoopExecutor(self.channel.eventLoop))
            try self.channel.pipeline.syncOperations.addHandler(self.handler)
            self.handler.submit([1], self.pending, timeout: .command(.seconds(60)), flush: true)
        }

        /// Has so many entries come, in pieces of so many bytes.
        func receive(entries: Int, pieces: Int) throws {
            let text = streamReply(entries: entries)
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                try self.channel.writeInbound(ByteBuffer(bytes: rest.prefix(pieces)))
                rest = rest.dropFirst(pieces)
            }
        }
    }

    @Test("A reply of many entries is announced before it is read", arguments: [7, 1000])
    func announced(pieces: Int) async throws {
        let setup = try Setup()
        try setup.receive(entries: 3, pieces: pieces)
        let outline = await setup.pending.outline()
        #expect(outline == PendingReply.Outline(entries: 3, last: EntryID(milliseconds: 3, sequence: 0)))
        setup.handler.readReplies()
        #expect(try await setup.pending.reply()[3].length == 3)
    }

    @Test("A reply of few entries is read immediately, without a second step", arguments: [7, 1000])
    func notAnnounced(pieces: Int) async throws {
        let setup = try Setup()
        try setup.receive(entries: 2, pieces: pieces)
        #expect(await setup.pending.outline() == nil)
        #expect(try await setup.pending.reply()[3].length == 2)
    }

    @Test(
        "A reply that was announced has no deadline; one that breaks off in the middle has", arguments: [true, false])
    func deadline(isWhole: Bool) async throws {
        let setup = try Setup()
        let bytes = Array(streamReply(entries: 3).utf8)
        try setup.channel.writeInbound(ByteBuffer(bytes: isWhole ? bytes[...] : bytes.dropLast(5)))
        // The clock of deadlines is the real one, so the handler is asked when a time is long over.
        let later = NIODeadline.now() + .minutes(5)
        for _ in 0..<3 { setup.handler.timerFired(now: later) }
        setup.channel.embeddedEventLoop.run()
        if isWhole {
            #expect(await setup.pending.outline() != nil)
            setup.handler.readReplies()
            #expect(try await setup.pending.reply()[3].length == 3)
        } else {
            let error = await #expect(throws: RedisError.self) { try await setup.pending.reply() }
            #expect(error?.code == .timedOut && error?.message.contains("stopped arriving") == true)
        }
    }

    /// A task that waits for a value.
    private final class Waiter: Sendable {
        private let shot = OneShot<Int>()
        private let waiting = OrderedMutex(false)
        private let value = OrderedMutex<Int?>(nil)

        /// Whether it has begun to.
        var isWaiting: Bool { self.waiting.withLock { $0 } }
        /// What it has got.
        var found: Int? { self.value.withLock { $0 } }

        func wait() async {
            self.waiting.withLock { $0 = true }
            let value = await self.shot.value()
            self.value.withLock { $0 = value }
        }

        func set() { self.shot.set(7) }
    }

    @Test(
        "A waiter continues while the reply is read, and otherwise in the next turn of the loop",
        arguments: [true, false])
    func goesOn(isReading: Bool) async throws {
        let loop = RedisEventLoop()
        let waiter = Waiter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: loop.executor) { await waiter.wait() }
            while !waiter.isWaiting { await Task.yield() }
            // Runs when the task, which is on the same thread, has come to wait.
            let atOnce = try await loop.eventLoop.submit {
                if isReading {
                    loop.executor.runningJobs { waiter.set() }
                } else {
                    waiter.set()
                }
                return waiter.found
            }.get()
            #expect(atOnce == (isReading ? 7 : nil))
            try await group.waitForAll()
        }
        #expect(waiter.found == 7)
        await loop.shutDown()
    }
}
