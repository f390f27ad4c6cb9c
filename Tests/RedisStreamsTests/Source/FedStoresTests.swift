import ComponentKit
import StageKit
import Synchronization
import Testing

@testable import RedisStreams

/// A store that holds nothing and counts how often it is emptied.
private final class BareStore: SnapshotStore {
    let name = "a"
    let keyField = "id"
    let count = 0
    let retention = StoreRetention.process
    let freshness: Freshness? = Freshness()
    let emptied = Mutex(0)
    func snapshot(for key: Span<UInt8>) -> Snapshot? { nil }
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {}
    func removeAll() { self.emptied.withLock { $0 += 1 } }
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter { Writer() }
    private final class Writer: SnapshotWriter {
        func prepare(_ event: borrowing Event) {}
        func upsert(_ event: borrowing Event) throws -> StoreChange { .older }
        func evict(_ event: borrowing Event) throws -> StoreChange { .older }
    }
}

/// A store elsewhere that holds nothing.
private final class FarStore: RemoteSnapshotStore {
    let name = "far"
    let keyField = "id"
    let freshness: Freshness? = nil
    func removeAll() {}
    func lookUp(_ key: [UInt8]) async throws -> Snapshot? { nil }
    func finishRemoval() async throws {}
    func shutDown() async {}
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        BareStore().makeWriter(key: key, fields: fields)
    }
}

/// Records resets, or fails.
private final class ResetRecorder: RevocationHandler {
    private let state = Mutex((resets: [StoreReset](), failure: (any Error)?.none))
    var resets: [StoreReset] { self.state.withLock { $0.resets } }
    var failure: (any Error)? {
        get { self.state.withLock { $0.failure } }
        set { self.state.withLock { $0.failure = newValue } }
    }
    func revoke(_ event: borrowing Event, key: FieldID) {}
    func reset(_ reset: StoreReset) async throws {
        try self.state.withLock { state in
            if let failure = state.failure { throw failure }
            state.resets.append(reset)
        }
    }
}

@Suite struct FedStoresTests {
    @Test("A store is filled when all its streams are, and as fresh as the stream with the greatest lag")
    func together() {
        let store = BareStore()
        let fed = FedStores([store], streams: 2)
        store.freshness?.setLimit(.seconds(60))
        fed.setFilling(false, of: 0)
        #expect(store.freshness?.isBeingFilled == true)
        fed.setFilling(false, of: 1)
        #expect(store.freshness?.isBeingFilled == false && store.freshness?.isStale == true)
        let now = ContinuousClock.now
        fed.prove(at: now, of: 0)
        #expect(store.freshness?.age == nil)
        fed.prove(at: now - .seconds(30), of: 1)
        #expect((store.freshness?.age ?? .zero) >= .seconds(30))
    }

    @Test("Only one stream whose keys are not being read fills a store in order")
    func order() {
        let (one, two) = (BareStore(), BareStore())
        let fed = FedStores([one], streams: 1)
        #expect(one.freshness?.isFilledInOrder == true)
        fed.setFilling(true, isScanning: true, of: 0)
        #expect(one.freshness?.isFilledInOrder == false)
        #expect(one.lookupDoubt == "the store is being filled")
        fed.setFilling(true, of: 0)
        #expect(one.freshness?.isFilledInOrder == true)
        #expect(one.lookupDoubt == nil)
        let both = FedStores([two], streams: 2)
        #expect(two.freshness?.isFilledInOrder == false)
        both.setFilling(false, of: 0)
        #expect(two.lookupDoubt == "the store is being filled")
        both.setFilling(false, of: 1)
        #expect(two.freshness?.isFilledInOrder == false)
        #expect(two.lookupDoubt == nil)
    }

    @Test("A store emptied for one stream is filled only after the others were read again")
    func refill() {
        let store = BareStore()
        let fed = FedStores([store], streams: 3)
        let interrupted = Mutex<[Int]>([])
        for index in 0..<3 {
            fed.setFilling(false, of: index)
            fed.setInterrupt(of: index) { interrupted.withLock { $0.append(index) } }
        }
        fed.removeAll(by: 1, refillsOthers: true)
        #expect(interrupted.withLock { $0 } == [0, 2] && store.emptied.withLock { $0 } == 1)
        // A batch that was under way is finished meanwhile.
        fed.setFilling(false, of: 0)
        #expect(store.freshness?.isBeingFilled == true)
        #expect(fed.takeRefill(of: 0) && !fed.takeRefill(of: 0) && !fed.takeRefill(of: 1) && fed.takeRefill(of: 2))
        fed.setFilling(false, of: 0)
        #expect(store.freshness?.isBeingFilled == true)
        fed.setFilling(false, of: 2)
        #expect(store.freshness?.isBeingFilled == false)
    }

    @Test("Each stream announces its emptied stores once, and remote ones when they are empty")
    func resets() async throws {
        let handler = ResetRecorder()
        let fed = FedStores([BareStore(), FarStore()], streams: 2, handler: handler)
        fed.removeAll(by: 1, reason: "trimmed", refillsOthers: true)
        fed.removeAll(by: 1, reason: "bootstrap", refillsOthers: false)
        #expect(fed.owesResets(of: 1) && !fed.owesResets(of: 0))
        try await fed.announceResets(of: 0, finished: true)
        try await fed.announceResets(of: 1, finished: false)
        #expect(handler.resets == [StoreReset(store: "a", reason: "trimmed")] && fed.owesResets(of: 1))
        try await fed.announceResets(of: 1, finished: true)
        #expect(handler.resets.last == StoreReset(store: "far", reason: "trimmed") && !fed.owesResets(of: 1))
        try await fed.announceResets(of: 1, finished: true)
        #expect(handler.resets.count == 2)
        fed.removeAllUnswept(by: 0, reason: "deleted")
        handler.failure = CancellationError()
        await #expect(throws: CancellationError.self) { try await fed.announceResets(of: 0, finished: true) }
        #expect(fed.owesResets(of: 0))
    }

    @Test("Without a handler, nothing is pending")
    func noHandler() {
        let fed = FedStores([BareStore()], streams: 1)
        fed.removeAll(by: 0, reason: "trimmed", refillsOthers: false)
        #expect(!fed.owesResets(of: 0))
    }

    @Test("Several streams together have the greatest lag of them")
    func boards() {
        var boards = [SourceBoard(), SourceBoard()]
        boards[0].status = SourceStatus(
            state: .reading, cursor: EntryID(milliseconds: 5, sequence: 0), reconnects: 1, isCaughtUp: true)
        boards[0].status.lagEntries = 3
        boards[0].status.gaps = ["trimmed": 1]
        #expect(boards.status.state == .idle && boards.status.cursor == nil && !boards.status.isCaughtUp)
        boards[1].status = SourceStatus(
            state: .reading, cursor: EntryID(milliseconds: 4, sequence: 0), reconnects: 2, isCaughtUp: true)
        boards[1].status.lagEntries = 4
        boards[1].status.gaps = ["trimmed": 1, "deleted": 1]
        let status = boards.status
        #expect(status.state == .reading && status.cursor == EntryID(milliseconds: 5, sequence: 0))
        #expect(status.isCaughtUp && status.reconnects == 3 && status.lagEntries == 7)
        #expect(status.gaps == ["trimmed": 2, "deleted": 1])
        #expect([SourceBoard]().status == SourceStatus())
    }

    @Test("The position of several streams has one part per stream, and exists once each stream has one")
    func bookmarks() {
        let bookmarks = [7, 3].map { number in
            SourceBookmark(
                epoch: number, cursor: EntryID(milliseconds: UInt64(number), sequence: 0), text: "cursor \(number)-0\nx"
            )
        }
        let together = SharedCheckpoint.bookmark(bookmarks)
        #expect(together?.epoch == 10 && together?.cursor == EntryID(milliseconds: 3, sequence: 0))
        #expect(together?.text == "cursor 7-0\nx\n\ncursor 3-0\nx")
        #expect(SharedCheckpoint.bookmark([bookmarks[0], nil]) == nil)
        #expect(SharedCheckpoint.bookmark([bookmarks[0]]) == bookmarks[0])
    }
}
