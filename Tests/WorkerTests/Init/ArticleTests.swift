import Foundation
import Testing

@testable import Commands

/// The code in the documentation is compiled and tested elsewhere.
@Suite struct ArticleTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func files(in folder: String, ending suffix: String) throws -> [(name: String, text: String)] {
        let folder = self.root.appendingPathComponent(folder)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(suffix) }.sorted()
            .map { ($0, try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)) }
    }

    /// The lines without their indentation.
    private static func plain(_ text: String) -> String {
        text.components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "\n")
    }

    private static func package(_ kind: PackageKind = .stage) throws -> WorkerPackage {
        WorkerPackage(name: try WorkerName("my-worker"), kind: kind, sluice: .path("/opt/sluice"))
    }

    /// The code blocks of a page in a language.
    private static func blocks(_ language: String, of text: String) -> [String] {
        text.components(separatedBy: "```\(language)\n").dropFirst().compactMap { part in
            part.components(separatedBy: "\n```").first
        }
    }

    /// All Markdown pages below some directories.
    private static func pages(below folders: [String]) throws -> [(name: String, text: String)] {
        var found: [(name: String, text: String)] = []
        for folder in folders {
            let base = self.root.appendingPathComponent(folder)
            let files = try #require(FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil))
            for case let file as URL in files where file.pathExtension == "md" {
                found.append((file.path, try String(contentsOf: file, encoding: .utf8)))
            }
        }
        return found
    }

    @Test func `Every Swift block of the documentation is part of a source that is compiled`() throws {
        let sources =
            try Self.files(in: "Tests/StageTestKitTests/Articles", ending: ".swift").map(\.text)
            + Self.files(in: "Tests/IntegrationTests/Articles", ending: ".swift").map(\.text)
            + Self.files(in: "Tests/CELTests/Articles", ending: ".swift").map(\.text)
            + Self.files(in: "Plugins/FilterStage/Tests", ending: ".swift").map(\.text)
            + PackageKind.allCases.flatMap { try Self.package($0).files.map(\.text) }
        let corpus = sources.map(Self.plain)
        var count = 0
        let readme = try String(contentsOf: Self.root.appendingPathComponent("README.md"), encoding: .utf8)
        for page in try Self.pages(below: ["Sources", "Plugins", ".github"]) + [("README.md", readme)] {
            for block in Self.blocks("swift", of: page.text) {
                count += 1
                #expect(corpus.contains { $0.contains(Self.plain(block)) }, "\(page.name):\n\(block)")
            }
        }
        #expect(count >= 15)
    }

    @Test func `The pipeline of the first-stage article is that of a new package`() throws {
        let package = try Self.package()
        let pipeline = try #require(package.files.first { $0.path == "pipeline.yaml" }).text
        let articles = try Self.files(in: "Sources/StageKit/StageKit.docc", ending: "FirstStage.md")
        let blocks = Self.blocks("yaml", of: try #require(articles.first).text)
        #expect(blocks.count == 1)
        for block in blocks { #expect(pipeline.contains(block), "\(block)") }
    }

    @Test(arguments: PackageKind.allCases)
    func `The type of a new package is that of the articles`(kind: PackageKind) throws {
        let article = try Self.files(in: "Tests/StageTestKitTests/Articles", ending: "\(kind.type).swift")
        #expect(kind.text == article.first?.text)
    }
}
