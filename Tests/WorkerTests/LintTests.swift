import ComponentKit
import Foundation
import Logging
import PipelineEngine
import StageKit
import Testing

@testable import Worker

@Suite struct LintTests {
    private static let silent = PipelineServices(
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Where the shipped pipeline lies.
    static var shippedPath: String { self.root.appendingPathComponent("pipeline.yaml").path }

    /// Every pipeline file below `Fixtures/lint`, by its name without the extension.
    static let wrongFiles: [String] = {
        let folder = Bundle.module.url(forResource: "Fixtures", withExtension: nil)?.appendingPathComponent("lint")
        let names = folder.flatMap { try? FileManager.default.contentsOfDirectory(atPath: $0.path) } ?? []
        return names.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(".yaml".count)) }.sorted()
    }()

    private func fixture(_ name: String) throws -> Data {
        let folder = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
        return try Data(contentsOf: folder.appendingPathComponent("lint").appendingPathComponent(name))
    }

    @Test("There are fixtures, and each is a pair")
    func pairs() throws {
        #expect(Self.wrongFiles.count >= 80)
        for name in Self.wrongFiles { #expect(try !self.fixture("\(name).txt").isEmpty, "\(name)") }
    }

    @Test("An invalid file is reported with all errors, each with its position", arguments: wrongFiles)
    func wrong(name: String) throws {
        let text = try self.fixture("\(name).yaml")
        let expected = String(decoding: try self.fixture("\(name).txt"), as: UTF8.self)
        let error = #expect(throws: ConfigurationError.self) {
            _ = try Pipeline(
                text: Array(text), file: "\(name).yaml", environment: ["SET": "words"], catalogue: .standard,
                services: Self.silent)
        }
        #expect((error?.lines ?? []).map { "\($0)\n" }.joined() == expected)
    }

    @Test("The shipped pipeline is valid, with an empty environment and with every variable set")
    func shipped() throws {
        let path = Self.shippedPath
        let plain = try Pipeline(contentsOf: path, environment: [:], services: Self.silent)
        #expect(plain.name == "session_subscriber")
        #expect(plain.source.stream == "gateway:session_events")
        #expect(plain.stores.keys.sorted() == ["sessions"])
        let environment = [
            "REDIS_ADDRESS": "redis.example:6380", "REDIS_USERNAME": "gateway", "REDIS_PASSWORD": "secret",
            "REDIS_DATABASE": "3", "REDIS_TLS": "true", "REDIS_STREAM": "other", "SLUICE_LISTEN": "off",
        ]
        #expect(throws: Never.self) {
            try Pipeline(contentsOf: path, environment: environment, services: Self.silent)
        }
    }

    @Test("A store that never refuses lookups causes a warning; the default max_staleness does not")
    func staleness() throws {
        func warnings(_ setting: String) throws -> [String] {
            let text = """
                pipeline: p
                redis: { address: "127.0.0.1:1" }
                source: { redis_stream: { stream: s\(setting) } }
                stores: { a: { memory: { key: id } } }
                stages: [{ decode: { event: e, fields: { id: { required: true } } } }, { upsert: { store: a } }]
                """
            return try Pipeline(
                text: Array(text.utf8), file: "p.yaml", catalogue: .standard, services: Self.silent
            ).warnings.map(\.message)
        }
        #expect(try warnings("") == [])
        #expect(try warnings(", max_staleness: 1m") == [])
        let off = try warnings(", max_staleness: off")
        #expect(off.count == 1 && off[0].contains("\"a\" never refuses lookups"))
    }

    @Test("A field in braces is a warning in a setting that is not a template")
    func fieldsInBraces() throws {
        let text = """
            pipeline: p
            redis: { address: "127.0.0.1:1" }
            source: { redis_stream: { stream: "{id}:events" } }
            stages:
              - decode: { fields: { id: { required: true } } }
              - set: { label: "a {id}", size: { expr: "'{id}'.size()" } }
              - log: { message: "event {id}" }
                when: "id != '{id}'"
              - log: { message: "event {other} {{id}}" }
              - publish: { stream: "s:{id}" }
              - webhook: { url: "http://127.0.0.1:9/{id}", headers: { X-Id: "{id}" } }
            """
        let pipeline = try Pipeline(
            text: Array(text.utf8), file: "p.yaml", catalogue: .standard, services: Self.silent)
        #expect(
            pipeline.warnings.map { "\($0.position.line):\($0.position.column): \($0.message)" } == [
                "7:21: log: {id} is used as it is, because this setting is not a template",
                "11:65: webhook: {id} is used as it is, because this setting is not a template",
            ])
    }

    @Test("Values of variables in the shipped file are checked like literal ones")
    func shippedWithBadVariables() throws {
        let path = Self.shippedPath
        let environment = ["REDIS_DATABASE": "-1", "REDIS_TLS": "maybe", "SLUICE_LISTEN": "0.0.0.0:1"]
        let error = #expect(throws: ConfigurationError.self) {
            try Pipeline(contentsOf: path, environment: environment, services: Self.silent)
        }
        #expect(error?.issues.map(\.position.line) == [9, 10, 54])
    }
}
