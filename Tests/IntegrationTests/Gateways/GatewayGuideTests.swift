import Foundation
import Testing

/// The pages for people and the files that the tests run are the same.
@Suite struct GatewayGuideTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test(
        "The guides show every tested configuration and program unchanged",
        arguments: [("Gateways.md", "gateways", 10), ("SharedMemory.md", "lookup", 5)])
    func guide(page: String, folder: String, count: Int) throws {
        let page = Self.text("Sources/Worker/Documentation.docc/\(page)")
        let folder = "Tests/IntegrationTests/Fixtures/\(folder)"
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.root.appendingPathComponent(folder).path)
        #expect(names.count == count)
        for name in names {
            let text = Self.text("\(folder)/\(name)")
            #expect(!text.isEmpty && page.contains("\n\(text)```\n"), "\(name) is not in the guide")
        }
    }

    /// A situation and the status of each gateway in it.
    struct Row {
        var name: String
        var statuses: [Int]
    }

    /// The rows of the table in the guide that shows each gateway in each situation.
    static func statuses(of programs: [GatewayProgram]) throws -> [Row] {
        let lines = self.text("Sources/Worker/Documentation.docc/Gateways.md").split(
            separator: "\n", omittingEmptySubsequences: false)
        let cells = { (line: Substring) in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let start = try #require(lines.firstIndex { $0.hasPrefix("| situation | \(GatewayProgram.nginx.title) |") })
        let titles = cells(lines[start])
        let columns = try programs.map { try #require(titles.firstIndex(of: $0.title), "no column \($0.title)") }
        return try lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            let row = cells(line)
            return Row(name: row[0], statuses: try columns.map { try #require(Int(row[$0])) })
        }
    }

    private static func text(_ path: String) -> String {
        (try? String(contentsOf: self.root.appendingPathComponent(path), encoding: .utf8)) ?? ""
    }
}
