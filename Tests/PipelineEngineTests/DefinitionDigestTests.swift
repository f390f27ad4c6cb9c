import ComponentKit
import StageKit
import Testing

@testable import PipelineEngine

@Suite struct DefinitionDigestTests {
    private func digest(_ store: String, bounds: Set<String> = ["max"]) throws -> String {
        let text = "stores: { a: { kept: { \(store) } } }\nstages: []\n"
        let tree = try ConfigurationTree(text: Array(text.utf8), file: "p", environment: [:], overrides: [])
        let settings = SettingType<Bool>(shape: .form("anything")) { _, _ in true }
        let type = StoreType(name: "kept", summary: "Holds.", settings: settings, bounds: bounds) { _, _ in nil }
        return DefinitionDigest.ofStores(tree.root, types: [type])
    }

    @Test("A store's capacity does not change its digest, its content does")
    func bounds() throws {
        let first = try self.digest("key: id, max: 5")
        #expect(try self.digest("key: id, max: 6") == first)
        #expect(try self.digest("key: id") == first)
        #expect(try self.digest("key: other, max: 5") != first)
        #expect(try self.digest("key: id, max: 5", bounds: []) != first)
    }
}
