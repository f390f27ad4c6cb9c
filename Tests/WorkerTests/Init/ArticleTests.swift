import Foundation
import Testing

@testable import Commands

/// What the articles of StageKit show is what is compiled and tested elsewhere.
@Suite struct ArticleTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func files(in folder: String, ending suffix: String) throws -> [(name: String, text: String)] {
        let folder = self.root.appendingPathComponent(folder)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(suffix) }.sorted()
            .map { ($0, try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)) }
    }

    /// The lines without what they are indented by.
    private static func plain(_ text: String) -> String {
        text.components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "\n")
    }

    private static func package() throws -> WorkerPackage {
        WorkerPackage(name: try WorkerName("my-worker"), sluice: .path("/opt/sluice"))
    }

    /// The code blocks of a page in a language.
    private static func blocks(_ language: String, of text: String) -> [String] {
        text.components(separatedBy: "```\(language)\n").dropFirst().compactMap { part in
            part.components(separatedBy: "\n```").first
        }
    }

    @Test func `Every Swift block stands in a source that is compiled and tested`() throws {
        let sources =
            try Self.files(in: "Tests/StageTestKitTests/Articles", ending: ".swift").map(\.text)
            + Self.package().files.map(\.text)
        let corpus = sources.map(Self.plain)
        var count = 0
        for article in try Self.files(in: "Sources/StageKit/StageKit.docc", ending: ".md") {
            for block in Self.blocks("swift", of: article.text) {
                count += 1
                let isThere = corpus.contains { $0.contains(Self.plain(block)) }
                #expect(isThere, "\(article.name):\n\(block)")
            }
        }
        #expect(count >= 10)
    }

    @Test func `The first stage's pipeline is the one of a new package`() throws {
        let package = try Self.package()
        let pipeline = try #require(package.files.first { $0.path == "pipeline.yaml" }).text
        let articles = try Self.files(in: "Sources/StageKit/StageKit.docc", ending: "FirstStage.md")
        let blocks = Self.blocks("yaml", of: try #require(articles.first).text)
        #expect(blocks.count == 1)
        for block in blocks { #expect(pipeline.contains(block), "\(block)") }
    }

    @Test func `The stage of a new package is the one that is tested here`() throws {
        let stage = try Self.files(in: "Tests/StageTestKitTests/Articles", ending: "GreetStage.swift")
        #expect(WorkerPackage.stage == stage.first?.text)
    }
}
