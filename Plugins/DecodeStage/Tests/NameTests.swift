import StageTestKit
import Testing

@Suite struct NameTests {
    /// Decodes an entry of one field where another is declared alone.
    private func decode(_ name: String, declared: String) throws -> EventReport {
        try Sample.decode([name: "v"], ["fields": [declared: ["type": "string"]]])
    }

    @Test("A name is told from every other of its length, whatever the length", arguments: 1...40)
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
