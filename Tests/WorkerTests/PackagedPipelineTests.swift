import Foundation
import Testing

/// The pipeline that the service runs is the shipped one, which goes on at a checkpoint.
@Suite struct PackagedPipelineTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The lines that say something, without comments, quotes and indents.
    private func lines(_ path: String) throws -> [String] {
        let text = try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
        return text.split(separator: "\n").compactMap { line in
            let words = line.prefix { $0 != "#" }.replacing("\"", with: "").split(separator: " ")
            return words.isEmpty ? nil : words.joined(separator: " ")
        }
    }

    @Test("The packaged file differs from the shipped one only in its start and checkpoint")
    func same() throws {
        let (shipped, packaged) = (try self.lines("pipeline.yaml"), try self.lines("Sources/Packaging/pipeline.yaml"))
        let difference = packaged.difference(from: shipped)
        let added = difference.insertions.map { if case .insert(_, let line, _) = $0 { line } else { "" } }
        let removed = difference.removals.map { if case .remove(_, let line, _) = $0 { line } else { "" } }
        #expect(removed == ["start: tail"])
        #expect(added == ["start: resume", "checkpoint:", "path: /var/lib/sluice/checkpoint", "interval: 10s"])
    }
}
