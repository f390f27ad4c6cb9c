import Foundation
import Testing

/// The page for people and the files that the tests run are the same.
@Suite struct GatewayGuideTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test("The guide shows every tested configuration unchanged")
    func guide() throws {
        let page = self.text("Sources/Worker/Documentation.docc/Gateways.md")
        let folder = "Tests/IntegrationTests/Fixtures/gateways"
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.root.appendingPathComponent(folder).path)
        #expect(names.count == 5)
        for name in names {
            let text = self.text("\(folder)/\(name)")
            #expect(!text.isEmpty && page.contains("\n\(text)```\n"), "\(name) is not in the guide")
        }
    }

    private func text(_ path: String) -> String {
        (try? String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)) ?? ""
    }
}
