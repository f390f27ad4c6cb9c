@testable import PluginLoading

/// The bytes of a small shared library: a header, one program header, and notes; right unless a test says otherwise.
struct SampleImage {
    var identification: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0]
    var type: UInt16 = 3
    var machine = PluginImage.Machine.x86_64.rawValue
    var table: UInt64 = 64
    var headerSize: UInt16 = 56
    var headerCount: UInt16 = 1
    var segmentKind: UInt32 = 4
    var segmentOffset: UInt64 = 120
    var segmentSize: UInt64?
    /// Owner, type and text of each note.
    var notes: [(owner: String, type: UInt32, text: String)] = [("Sluice", 1, SampleImage.stamp.text)]

    static let stamp = PluginStamp(module: "greet", kits: "abc", compiler: "Swift version 6.3.1")

    var bytes: [UInt8] {
        let notes = self.notes.flatMap { Self.note($0.owner, $0.type, $0.text) }
        var header = self.identification + [UInt8](repeating: 0, count: 8)
        header += Self.little(self.type) + Self.little(self.machine) + Self.little(UInt32(1))
        header += Self.little(UInt64(0)) + Self.little(self.table) + Self.little(UInt64(0)) + Self.little(UInt32(0))
        header += Self.little(UInt16(64)) + Self.little(self.headerSize) + Self.little(self.headerCount)
        header += [UInt8](repeating: 0, count: 6)
        header += Self.little(self.segmentKind) + Self.little(UInt32(4)) + Self.little(self.segmentOffset)
        header += [UInt8](repeating: 0, count: 16)
        header += Self.little(self.segmentSize ?? UInt64(notes.count)) + [UInt8](repeating: 0, count: 16)
        return header + notes
    }

    private static func note(_ owner: String, _ type: UInt32, _ text: String) -> [UInt8] {
        let name = Array(owner.utf8) + [0]
        let text = Array(text.utf8)
        return self.little(UInt32(name.count)) + self.little(UInt32(text.count)) + self.little(type)
            + self.padded(name) + self.padded(text)
    }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }

    private static func little<N: FixedWidthInteger>(_ number: N) -> [UInt8] {
        (0..<N.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }
}
