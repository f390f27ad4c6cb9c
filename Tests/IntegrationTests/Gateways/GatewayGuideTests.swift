import Foundation
import Testing

/// The pages for people and the files that the tests run are the same.
@Suite struct GatewayGuideTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test(
        "The guides show every tested configuration and program unchanged",
        arguments: [("Gateways.md", "gateways", 6), ("SharedMemory.md", "lookup", 5)])
    func guide(page: String, folder: String, count: Int) throws {
        let page = self.text("Sources/Worker/Documentation.docc/\(page)")
        let folder = "Tests/IntegrationTests/Fixtures/\(folder)"
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.root.appendingPathComponent(folder).path)
        #expect(names.count == count)
        for name in names {
            let text = self.text("\(folder)/\(name)")
            #expect(!text.isEmpty && page.contains("\n\(text)```\n"), "\(name) is not in the guide")
        }
    }

    private func text(_ path: String) -> String {
        (try? String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)) ?? ""
    }
}
