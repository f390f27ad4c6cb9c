import DecodeStage
import StageTestKit
import Testing

@Suite struct NameTests {
    /// Decodes entries of accounts as one batch, a dictionary of what each has afterwards.
    private func decode(
        _ harness: StageHarness<DecodeStage>, _ entries: [KeyValuePairs<String, String>]
    ) async throws -> [[String: String]] {
        let reports = harness.process(entries.map { SampleEntry($0) })
        try await harness.endBatch()
        return reports.map { $0.values.mapValues { String(decoding: $0.bytes, as: UTF8.self) } }
    }

    @Test("Positional names are compared once per batch, for any number of fields")
    func alike() async throws {
        let harness = try StageHarness(DecodeStage.self, Sample.settings)
        let first = try await self.decode(
            harness,
            [["owner": "o-1", "id": "a-1", "balance": "1"], ["owner": "o-2", "id": "a-2", "balance": "2"]])
        #expect(first.map { $0["id"] } == ["a-1", "a-2"] && first.map { $0["balance"] } == ["1", "2"])
        // As many fields, in another order.
        let second = try await self.decode(
            harness,
            [["id": "a-3", "balance": "3", "owner": "o-3"], ["id": "a-4", "balance": "4", "owner": "o-4"]])
        #expect(second.map { $0["id"] } == ["a-3", "a-4"] && second.map { $0["owner"] } == ["o-3", "o-4"])
        // Fewer, then more, then fewer again.
        let mixed = try await self.decode(
            harness,
            [
                ["owner": "o-1", "id": "a-1"], ["owner": "o-2", "id": "a-2", "balance": "2"],
                ["owner": "o-3", "id": "a-3"], ["owner": "o-4", "id": "a-4", "balance": "4"],
            ])
        #expect(mixed.map { $0["id"] } == ["a-1", "a-2", "a-3", "a-4"])
        #expect(mixed.map { $0["balance"] } == [nil, "2", nil, "4"])
        // Fewer; and one of them twice, of which the last counts.
        let third = try await self.decode(harness, [["id": "a-5", "owner": "o-5"], ["id": "a-6", "owner": "o-6"]])
        #expect(third.map { $0["id"] } == ["a-5", "a-6"] && third.map { $0["balance"] } == [nil, nil])
        let fourth = try await self.decode(
            harness,
            [["id": "x", "owner": "o-7", "id": "a-7"], ["id": "y", "owner": "o-8", "id": "a-8"]])
        #expect(fourth.map { $0["id"] } == ["a-7", "a-8"] && fourth.map { $0["owner"] } == ["o-7", "o-8"])
    }

    @Test("With positional names, each entry has its own errors, and an undeclared name fails each entry")
    func mistakes() async throws {
        let harness = try StageHarness(DecodeStage.self, Sample.settings)
        let values = harness.process(["a-1", "", "a-3"].map { SampleEntry(["id": $0, "owner": "o"]) })
        #expect(
            values.map(\.failureMessage) == [nil, "decode account event: id must not be empty", nil])
        try await harness.endBatch()
        let names = harness.process((1...3).map { SampleEntry(["id": "a-\($0)", "colour": "red"]) })
        #expect(names.allSatisfy { $0.failureMessage == "decode account event: unsupported field \"colour\"" })
    }

    /// Decodes an entry of one field where another is declared alone.
    private func decode(_ name: String, declared: String) throws -> EventReport {
        try Sample.decode([name: "v"], ["fields": [declared: ["type": "string"]]])
    }

    @Test("A name is distinguished from all others of its length", arguments: 1...40)
    func oneByte(length: Int) throws {
        let name = String(String(repeating: "abcdefgh", count: 5).prefix(length))
        #expect(try self.decode(name, declared: name).text(name) == "v")
        for position in 0..<length {
            var other = Array(name.utf8)
            other[position] = UInt8(ascii: "_")
            let report = try self.decode(String(decoding: other, as: UTF8.self), declared: name)
            #expect(report.failure != nil, "byte \(position)")
        }
    }
}
