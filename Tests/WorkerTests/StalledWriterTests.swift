import Foundation
import Testing

@testable import Operations

@Suite struct StalledWriterTests {
    @Test("Lines without a reader are lost after one wait, and complete lines follow when the reader continues")
    func stalled() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        var writer = StalledWriter(descriptor: ends[1], patience: 10)
        let line = Array((String(repeating: "x", count: 9999) + "\n").utf8)
        for _ in 0..<1000 { writer.write(line) }
        #expect(writer.lost > 900)
        let lost = writer.lost
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var text: [UInt8] = []
        let first = read(ends[0], &buffer, buffer.count)
        text += buffer[..<max(0, first)]
        writer.write(Array("last\n".utf8))
        #expect(writer.lost == lost)
        let second = read(ends[0], &buffer, buffer.count)
        text += buffer[..<max(0, second)]
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        #expect(lines.last == "last")
        #expect(lines.dropFirst().dropLast(2).allSatisfy { $0.utf8.count == 9999 })
    }
}
