import StageKit
import Testing

@Suite("Doubles as text") struct DoubleTextTests {
    private func bits(_ text: String) throws -> UInt64? {
        guard case .double(let number)? = try FieldType.double.read(Array(text.utf8).span) else { return nil }
        return number.bitPattern
    }

    @Test(
        "A number is read as the nearest double",
        arguments: [
            "0", "-0", "-0.0", "+0.5", ".5", "5.", "00031.50", "31.5", "0.1", "0.30000000000000004", "9007199254740991",
            "9007199254740992", "9007199254740993", "900719925474099.1", "900719925474098.9", "123456789012345678",
            "0.0000000000000000000001", "0.00000000000000000000001", "1.0000000000000000000000", "1e22", "1E-5",
            "-2.5e+3",
            "2.2250738585072011e-308", "4.9e-324", "1e-400", "179769313486231570000000000000000000000",
            "000000000000000000000000000000000000000000000001.5", "8.5070591730234615865843651857942052864e37",
        ])
    func samples(text: String) throws {
        #expect(try self.bits(text) == Double(text.hasSuffix(".") ? text + "0" : text)?.bitPattern)
    }

    @Test("Random numbers are read as the general conversion reads them")
    func property() throws {
        var state: UInt64 = 2_026
        func random(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state ^ state >> 31) % bound
        }
        for _ in 0..<50_000 {
            var text = ["", "-", "+"][Int(random(3))]
            let (before, after) = (random(20), random(26))
            for _ in 0...before { text += String(random(10)) }
            if after > 0 { text += "." }
            for _ in 0..<after { text += String(random(10)) }
            if random(8) == 0 { text += "e\(Int(random(60)) - 30)" }
            #expect(try self.bits(text) == Double(text)?.bitPattern, "\(text)")
        }
    }

    @Test(
        "Other text is refused", arguments: ["", ".", "-", "+.", "1.2.3", "1-", "--1", "1e", "e5", "0x1", "nan", "1,5"])
    func refusals(text: String) {
        #expect(throws: ValueMistake.self) { try FieldType.double.read(Array(text.utf8).span) }
    }
}
