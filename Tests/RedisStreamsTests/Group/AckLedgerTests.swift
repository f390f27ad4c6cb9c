import Foundation
import StageKit
import Testing

@testable import RedisStreams

@Suite struct AckLedgerTests {
    /// Ten times as many for `make rounds`.
    private static let seeds: UInt64 = ProcessInfo.processInfo.environment["SLUICE_ROUNDS"] == nil ? 20 : 200

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
        "Lost connections neither lose an acknowledgement nor confirm an unsent one", arguments: 0..<seeds)
    func neverForgotten(seed: UInt64) {
        var generator = SplitMix64(state: seed)
        var ledger = AckLedger()
        // Whether each id is confirmed, by its number: sets of ids would take most of the time.
        var isConfirmed: [Bool] = []
        var confirmed = 0
        func confirm(_ piece: ArraySlice<EntryID>) {
            for id in piece where !isConfirmed[Int(id.milliseconds)] {
                isConfirmed[Int(id.milliseconds)] = true
                confirmed += 1
            }
        }
        var onTheWay: [ArraySlice<EntryID>] = []
        for _ in 0..<300 {
            switch generator.next() % 5 {
            case 0:
                let count = Int(generator.next() % 1500)
                let ids = self.ids(isConfirmed.count..<isConfirmed.count + count)
                isConfirmed += [Bool](repeating: false, count: count)
                ledger.owe(ids)
            case 1, 2:
                if let piece = ledger.nextToSend() { onTheWay.append(piece) }
            case 3:
                guard !onTheWay.isEmpty else { continue }
                confirm(onTheWay.removeFirst())
                ledger.confirmed()
            default:
                ledger.disconnected()
                onTheWay = []
            }
            #expect(ledger.count == isConfirmed.count - confirmed)
        }
        while let piece = ledger.nextToSend() ?? onTheWay.first {
            if !onTheWay.contains(piece) { onTheWay.append(piece) }
            confirm(onTheWay.removeFirst())
            ledger.confirmed()
        }
        #expect(ledger.isEmpty && confirmed == isConfirmed.count)
    }
}
