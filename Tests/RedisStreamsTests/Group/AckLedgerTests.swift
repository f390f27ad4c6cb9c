import StageKit
import Testing

@testable import RedisStreams

@Suite struct AckLedgerTests {
    private func ids(_ range: Range<Int>) -> [EntryID] { range.map { id(UInt64($0)) } }

    @Test("Acknowledgements are sent in chunks, oldest first, and are finished when confirmed")
    func pieces() {
        var ledger = AckLedger()
        #expect(ledger.isEmpty && ledger.isOnTheWay && ledger.nextToSend() == nil)
        ledger.owe(self.ids(1..<2502))
        #expect(ledger.count == 2501 && !ledger.isOnTheWay)
        let pieces = (0..<3).map { _ in ledger.nextToSend()?.count }
        #expect(pieces == [1000, 1000, 501] && ledger.nextToSend() == nil && ledger.isOnTheWay)
        ledger.confirmed()
        #expect(ledger.count == 1501)
        ledger.confirmed()
        ledger.confirmed()
        #expect(ledger.isEmpty)
    }

    @Test("The number of chunks in flight is limited")
    func bounded() {
        var ledger = AckLedger()
        for index in 0..<20 { ledger.owe([id(UInt64(index))]) }
        var sent = 0
        while ledger.nextToSend() != nil { sent += 1 }
        #expect(sent == AckLedger.piecesAtOnce && !ledger.isOnTheWay)
        ledger.confirmed()
        #expect(ledger.nextToSend() == [id(8)] && ledger.nextToSend() == nil)
    }

    @Test(
        "Lost connections neither lose an acknowledgement nor confirm an unsent one", arguments: 0..<50)
    func neverForgotten(seed: UInt64) {
        var generator = SplitMix64(state: seed)
        var ledger = AckLedger()
        var (owed, confirmed): (Set<EntryID>, Set<EntryID>) = ([], [])
        var onTheWay: [ArraySlice<EntryID>] = []
        var next = 0
        for _ in 0..<300 {
            switch generator.next() % 5 {
            case 0:
                let count = Int(generator.next() % 1500)
                let ids = self.ids(next..<next + count)
                next += count
                owed.formUnion(ids)
                ledger.owe(ids)
            case 1, 2:
                if let piece = ledger.nextToSend() { onTheWay.append(piece) }
            case 3:
                guard !onTheWay.isEmpty else { continue }
                confirmed.formUnion(onTheWay.removeFirst())
                ledger.confirmed()
            default:
                ledger.disconnected()
                onTheWay = []
            }
            #expect(ledger.count == owed.count - confirmed.count)
        }
        while let piece = ledger.nextToSend() ?? onTheWay.first {
            if !onTheWay.contains(piece) { onTheWay.append(piece) }
            confirmed.formUnion(onTheWay.removeFirst())
            ledger.confirmed()
        }
        #expect(ledger.isEmpty && confirmed == owed)
    }
}
