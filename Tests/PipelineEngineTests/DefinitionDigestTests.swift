import ComponentKit
import StageKit
import StageTestKit
import Testing

@testable import PipelineEngine

@Suite struct DefinitionDigestTests {
    private static let store = "stores: { s: { kept: { key: id } } }"
    private static let stages = """
        stages:
          - take: { fields: [a, b] }
            on_failure: aside
          - keep
          - note: { field: a }
        branches:
          aside:
            - note: { field: a }
        """

    private static func digest(
        _ stages: String, store: String = Self.store, source: String = "source: { memory: {} }",
        bounds: Set<String> = ["max"]
    ) throws -> String {
        let text = "pipeline: test\n\(source)\n\(store)\n\(stages)\n"
        let tree = try ConfigurationTree(text: Array(text.utf8), file: "p", environment: [:], overrides: [])
        var catalogue = Probes.catalogue()
        catalogue.add(KeepStage.self)
        catalogue.add(NoteStage.self)
        let anything = SettingType<Bool>(shape: .form("anything")) { _, _ in true }
        catalogue.add(
            StoreType(name: "kept", summary: "Holds.", settings: anything, bounds: bounds) { _, setup in
                RecordingStore(name: setup.name, key: "key")
            })
        var issues = SettingIssues()
        let definition = PipelineDefinition(tree.root, catalogue: catalogue, &issues)
        let services = PipelineServices(logger: RecordingLog().logger(label: "test"))
        let components = ComponentBuilder(definition: definition, catalogue: catalogue, services: services)
        let stores = components.stores(&issues)
        let graph = GraphBuilder(definition: definition, catalogue: catalogue, stores: stores, services: services)
            .build(&issues)
        try #require(issues.all == [])
        return DefinitionDigest.ofStores(tree.root, graph, types: catalogue.stores)
    }

    @Test(
        "A stage that leads to a store changes the digest, and one behind the last store or beside it does not",
        arguments: [
            ("take: { fields: [a, b] }", "take: { fields: [a] }", true),
            ("  - keep", "  - keep: {}\n    when: { a: x }", true),
            ("  - keep", "  - note: { field: b }\n  - keep", true),
            ("  - keep\n", "  - keep\n  - keep\n", true),
            ("  - keep\n  - note: { field: a }\n", "  - note: { field: a }\n  - keep\n", true),
            ("    - note: { field: a }", "    - note: { field: a }\n    - keep", true),
            ("  - keep\n  - note: { field: a }", "  - keep\n  - note: { field: b }", false),
            ("  - keep\n  - note: { field: a }", "  - keep", false),
            ("  - keep\n", "  - keep\n  - note: { field: b }\n", false),
            ("    - note: { field: a }", "    - note: { field: b }", false),
            ("  - keep", "  - 'keep' # as before", false),
        ])
    func stages(old: String, new: String, isChanged: Bool) throws {
        let changed = Self.stages.replacing(old, with: new)
        try #require(changed != Self.stages)
        #expect(try (Self.digest(changed) != Self.digest(Self.stages)) == isChanged)
    }

    @Test("Without a store, no stage is a part of the digest; the source's failures are if they lead to a store")
    func others() throws {
        let first = try Self.digest("stages: [{ take: { fields: [a] } }]", store: "")
        #expect(try Self.digest("stages: [{ take: { fields: [b] } }, { note: { field: b } }]", store: "") == first)
        let branches =
            Self.stages.replacing("  - keep\n", with: "  - keep: {}\n    on_failure: gone\n")
            + "\n  gone:\n    - keep\n"
        let sources = ["gone", "aside"].map { "source: { memory: {}, on_failure: \($0) }" }
        #expect(try Self.digest(branches, source: sources[0]) != Self.digest(branches))
        #expect(try Self.digest(branches, source: sources[1]) == Self.digest(branches))
    }

    @Test("The digest of the previous version is that of a file with all its stages")
    func previous() throws {
        func digest(_ text: String) throws -> String {
            let tree = try ConfigurationTree(text: Array(text.utf8), file: "p", environment: [:], overrides: [])
            return DefinitionDigest.previous(tree.root, types: [])
        }
        #expect(try digest("stores: { a: { kept: { key: id } } }\nstages: []\n") == "v1 72fab188d0bb247d")
        #expect(try digest("stages: [a]\n") != digest("stages: [b]\n"))
    }

    @Test("A store's capacity does not change its digest, its content does")
    func bounds() throws {
        func digest(_ settings: String, _ bounds: Set<String> = ["max"]) throws -> String {
            try Self.digest(Self.stages, store: "stores: { s: { kept: { \(settings) } } }", bounds: bounds)
        }
        let first = try digest("key: id, max: 5")
        #expect(try digest("key: id, max: 6") == first)
        #expect(try digest("key: id") == first)
        #expect(try digest("key: other, max: 5") != first)
        #expect(try digest("key: id, max: 5", []) != first)
    }
}
