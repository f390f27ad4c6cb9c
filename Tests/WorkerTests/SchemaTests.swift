import Foundation
import Logging
import PipelineEngine
import StageKit
import Testing
import Worker

@testable import Documentation

/// Holds the JSON Schema against the linter, by a validator written by others (Python's jsonschema).
@Suite struct SchemaTests {
    private static let silent = PipelineServices(
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))

    private static var fixtures: URL {
        get throws { try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil)) }
    }

    /// What the validator says of files, by their names.
    private func verdicts(_ files: [URL]) throws -> [String: String] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let schema = folder.appendingPathComponent("schema.json")
        try Data(PipelineSchema.document(.standard).pretty.utf8).write(to: schema)
        let script = try Self.fixtures.appendingPathComponent("schema-check.py")
        let output = try Tool.run(["/usr/bin/python3", script.path, schema.path] + files.map(\.path), in: folder)
        let lines = output.split(separator: "\n").map { $0.split(separator: "\t", maxSplits: 1).map(String.init) }
        return Dictionary(uniqueKeysWithValues: lines.filter { $0.count == 2 }.map { ($0[0], $0[1]) })
    }

    private static func files(in folder: String) throws -> [URL] {
        let folder = try self.fixtures.appendingPathComponent(folder)
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "yaml" }.sorted { $0.path < $1.path }
    }

    /// The wrong files that a schema cannot tell from good ones, with the reason.
    private static func blindSpots() throws -> [String: String] {
        let text = try String(contentsOf: self.fixtures.appendingPathComponent("schema-blind.txt"), encoding: .utf8)
        let lines = text.split(separator: "\n").map { $0.split(separator: ":", maxSplits: 1).map(String.init) }
        return Dictionary(uniqueKeysWithValues: lines.map { ("\($0[0]).yaml", $0.count > 1 ? $0[1] : "") })
    }

    @Test("Valid files, including the shipped one, pass the schema and the linter")
    func good() throws {
        let shipped = URL(fileURLWithPath: LintTests.shippedPath)
        let files = try Self.files(in: "good") + [shipped]
        #expect(files.count >= 4)
        let verdicts = try self.verdicts(files)
        for file in files {
            #expect(verdicts[file.lastPathComponent] == "valid", "\(file.lastPathComponent)")
            #expect(throws: Never.self, "\(file.lastPathComponent)") {
                try Pipeline(contentsOf: file.path, environment: [:], services: Self.silent)
            }
        }
    }

    @Test("Every invalid file fails the schema, except for errors that a schema cannot express")
    func wrong() throws {
        let files = try Self.files(in: "lint")
        let verdicts = try self.verdicts(files)
        #expect(files.count >= 80)
        #expect(verdicts.count == files.count)
        let blind = try Self.blindSpots()
        for file in files.map(\.lastPathComponent) {
            let isSeen = try #require(verdicts[file], "\(file)") != "valid"
            #expect(isSeen == (blind[file] == nil), "\(file): \(verdicts[file] ?? "")")
        }
        #expect(Set(blind.keys).subtracting(files.map(\.lastPathComponent)) == [])
        #expect(blind.values.allSatisfy { !$0.isEmpty })
    }

    @Test("Every stage's example is a complete file that the linter and the schema accept")
    func examples() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var files: [URL] = []
        for stage in Catalogue.standard.stages {
            let text = try #require(
                ExamplePipeline.text(for: stage, catalogue: .standard),
                "\(stage.name): its example is not valid even in \(ExamplePipeline.candidates(stage).last ?? "")")
            let file = folder.appendingPathComponent("\(stage.name).yaml")
            try Data(text.utf8).write(to: file)
            files.append(file)
        }
        let verdicts = try self.verdicts(files)
        for file in files { #expect(verdicts[file.lastPathComponent] == "valid", "\(file.lastPathComponent)") }
    }

    @Test("The schema has defaults as values and describes every name")
    func contents() throws {
        let data = Data(PipelineSchema.document(.standard).compact.utf8)
        let schema = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let redis = try #require(((schema["properties"] as? [String: Any])?["redis"] as? [String: Any]))
        let settings = try #require(redis["properties"] as? [String: [String: Any]])
        #expect(settings["database"]?["default"] as? Int == 0)
        #expect(settings["tls"]?["default"] as? Bool == false)
        #expect(settings["timeout"]?["default"] as? String == "250ms")
        #expect(settings["password"]?["writeOnly"] as? Bool == true)
        for (name, setting) in settings { #expect((setting["description"] as? String)?.isEmpty == false, "\(name)") }
        let stage = try #require((schema["$defs"] as? [String: Any])?["stage"] as? [String: Any])
        let item = try #require(stage["then"] as? [String: Any])
        let names = try #require(item["properties"] as? [String: Any]).keys
        #expect(Set(names).isSuperset(of: Catalogue.standard.stages.map(\.name) + ["name", "when", "on_failure"]))
    }
}
