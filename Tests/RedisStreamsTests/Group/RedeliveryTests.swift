import RESP
import RedisClient
import StageKit
import Testing

@testable import RedisStreams

/// Entries that are delivered again, read by the parser of new entries.
@Suite struct RedeliveryTests {
    private static let gone = "*-1\r\n"

    private func redelivery(_ deliveries: [EntryID: Int] = [:]) -> Redelivery {
        let policy = GroupMachine.Policy(interval: .seconds(1), maxDeliveries: 2, readCount: 10, halts: false)
        return Redelivery(
            take: GroupMachine.Take(first: id(1), deliveries: deliveries), machine: GroupMachine(policy))
    }

    private func fill(
        _ batch: EventBatch, _ text: String, _ form: XReadReply.Form, limit: Int = 10
    ) throws -> Redelivery.Result {
        try XReadReply.fill(batch, from: reply(text), form, limit: limit, self.redelivery())
    }

    private func fields(_ batch: EventBatch, _ index: Int) -> [String] {
        batch.withEvent(at: index) { event in
            (0..<event.rawFieldCount).flatMap { position in
                [event.text(event.rawField(at: position).name), event.text(event.rawField(at: position).value)]
            }
        }
    }

    @Test("A backlog has entries, and ids of those that are gone", arguments: ["*-1\r\n", "$-1\r\n"])
    func backlog(null: String) throws {
        let batch = EventBatch()
        let text = streamReply([entry("1-0", ["v", "x1"]), list([bulk("2-0"), null]), entry("3-0", ["v", "x3"])])
        let found = try self.fill(batch, text, .backlog, limit: 3)
        #expect(found == Redelivery.Result(count: 2, deleted: [id(2)]))
        #expect(batch.ids == [id(1), id(3)])
        #expect(self.fields(batch, 0) == ["v", "x1"] && self.fields(batch, 1) == ["v", "x3"])
    }

    @Test("A backlog that is gone leaves an empty batch, whatever it held before")
    func empty() throws {
        let batch = EventBatch()
        _ = try self.fill(batch, streamReply([entry("1-0", ["v", "x"])]), .backlog)
        let found = try self.fill(batch, streamReply([list([bulk("2-0"), Self.gone])]), .backlog)
        #expect(found == Redelivery.Result(deleted: [id(2)]) && batch.isEmpty)
        #expect(try self.fill(batch, streamReply([]), .backlog) == Redelivery.Result())
    }

    @Test("A reply to XAUTOCLAIM lists removed entries from 7.0 on, and has null for them in 6.2")
    func claim() throws {
        let batch = EventBatch()
        let one = entry("1-0", ["v", "x1"])
        let modern = list([bulk("0-0"), list([one]), list([bulk("2-0"), bulk("5-0")])])
        #expect(try self.fill(batch, modern, .claim) == Redelivery.Result(count: 1, deleted: [id(2), id(5)]))
        #expect(batch.ids == [id(1)] && self.fields(batch, 0) == ["v", "x1"])
        let old = list([bulk("0-0"), list([Self.gone, one, Self.gone])])
        #expect(try self.fill(batch, old, .claim) == Redelivery.Result(count: 1, nameless: 2))
        #expect(batch.ids == [id(1)])
    }

    @Test(
        "A malformed reply is refused",
        arguments: [
            Self.gone, ":1\r\n", list([]), list([bulk("0-0"), Self.gone]), list([bulk("0-0"), list([bulk("1-0")])]),
            list([bulk("0-0"), list([entry("1-0", ["v"])])]), list([bulk("0-0"), list([entry("x", [])])]),
            list([bulk("0-0"), list([entry("2-0", []), entry("1-0", [])])]),
            list([bulk("0-0"), list((1...11).map { entry("\($0)-0", []) })]),
            list([bulk("0-0"), list([]), list([bulk("x")])]), list([bulk("0-0"), list([]), list([Self.gone])]),
            list([bulk("0-0"), list([]), bulk("1-0")]), list([bulk("0-0"), list([]), list([]), list([])]),
            streamReply([entry("2-0", []), entry("1-0", [])]), streamReply([list([bulk("x"), Self.gone])]),
            streamReply((1...11).map { entry("\($0)-0", []) }),
            streamReply([list([bulk("1-0"), list([bulk("a"), "$-1\r\n"])])]),
        ])
    func refused(text: String) {
        for form in [XReadReply.Form.backlog, .claim] {
            let error = #expect(throws: RedisError.self) { try self.fill(EventBatch(), text, form) }
            #expect(error?.code == .protocolViolation && error?.message.hasPrefix("\(form.rawValue): ") == true)
        }
    }

    @Test("The server's error is that of the command", arguments: [XReadReply.Form.backlog, .claim])
    func serverError(form: XReadReply.Form) {
        let error = #expect(throws: RedisError.self) { try self.fill(EventBatch(), "-NOGROUP No such key\r\n", form) }
        #expect(error?.code == .noGroup && error?.message.hasPrefix("\(form.rawValue): ") == true)
    }

    @Test("A batch has the entries with their deliveries, and those refused that came too often")
    func deliveries() throws {
        let batch = EventBatch()
        let text = streamReply((1...3).map { entry("\($0)-0", ["v", "x"]) })
        let found = try XReadReply.fill(
            batch, from: reply(text), .backlog, limit: 3, self.redelivery([id(1): 2, id(2): 3]))
        #expect(found == Redelivery.Result(count: 3, refused: 1))
        batch.prepareCells(fieldCount: 1)
        let events = (0..<3).map { index in batch.withEvent(at: index) { ($0.deliveries, $0.failure?.reason) } }
        #expect(events.map(\.0) == [2, 3, 2] && events.map(\.1) == [nil, "max_deliveries", nil])
    }

    /// A reply whose second entry has a value that was left out.
    private func oversized() throws -> RESPReply {
        var reader = RESPReader(limits: RESPLimits(bulkBytes: 10))
        reader.setLongValues(.leaveOut)
        let long = String(repeating: "x", count: 11)
        let text = streamReply([entry("1-0", ["v", "1"]), entry("2-0", ["v", "2", "big", long])])
        try Array(text.utf8).withUnsafeBytes { bytes in try reader.feed(bytes) }
        let next = try reader.next()
        return try #require(next)
    }

    @Test("An entry with a value that is too large fails; if it also came too often, that is the reason")
    func tooLarge() throws {
        for (deliveries, reason) in [(2, "value_too_large"), (3, "max_deliveries")] {
            let batch = EventBatch()
            let known = self.redelivery([id(1): 2, id(2): deliveries])
            _ = try XReadReply.fill(batch, from: self.oversized(), .backlog, limit: 2, known)
            batch.prepareCells(fieldCount: 1)
            let failures = (0..<2).map { index in batch.withEvent(at: index) { $0.failure?.reason } }
            #expect(failures == [nil, reason] && self.fields(batch, 1) == ["v", "2"])
        }
    }

    @Test("With on_oversized: halt such an entry ends the run, unless it came too often")
    func tooLargeHalts() throws {
        let batch = EventBatch()
        let error = #expect(throws: RedisError.self) {
            try XReadReply.fill(
                batch, from: self.oversized(), .backlog, limit: 2, self.redelivery(), oversized: .halt)
        }
        #expect(error?.code == .valueTooLarge)
        let found = try XReadReply.fill(
            batch, from: self.oversized(), .backlog, limit: 2, self.redelivery([id(2): 3]), oversized: .halt)
        #expect(found.refused == 1)
    }
}
