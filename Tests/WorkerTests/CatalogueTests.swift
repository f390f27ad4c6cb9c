import PipelineEngine
import StageKit
import Testing
import Worker

@testable import Documentation

@Suite struct CatalogueTests {
    @Test("The table lists every type, within 80 columns")
    func table() {
        let pages = CataloguePage.all(of: .standard)
        let table = CataloguePage.table(pages)
        for page in pages { #expect(table.contains("\n  \(page.name) "), "\(page.name)") }
        for line in table.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    }

    @Test(
        "A page lists each setting with its form, default and description, and has the example",
        arguments: ["text", "json"])
    func page(format: String) throws {
        let type = try #require(Catalogue.standard.stages.first { $0.name == "decode" })
        let example = ExamplePipeline.text(for: type, catalogue: .standard)
        let page = CataloguePage(type)
        let text = format == "text" ? page.text(example: example) : page.json(example: example).pretty
        for part in [
            "fields.NAME.type", "string | bytes | int64", "required", "reject | allow", "malformed_event",
            "names of your choice, at least 1", "pipeline: example", "ure",
        ] {
            #expect(text.contains(part), "\(part)")
        }
    }

    @Test("Nested settings are listed by their path, whatever holds them")
    func paths() {
        let leaf = SettingDescription(name: "leaf", shape: .integer(1...5), isRequired: true, summary: "A leaf.")
        let cases: [(SettingShape, [String])] = [
            (.object([leaf]), ["leaf"]), (.map(.object([leaf])), ["NAME.leaf"]),
            (.list(.object([leaf]), orSingle: false), ["[].leaf"]), (.either([.boolean, .object([leaf])]), ["leaf"]),
            (.oneName([leaf]), ["leaf"]), (.nullable(.object([leaf])), ["leaf"]), (.text, []),
        ]
        for (shape, paths) in cases { #expect(SettingTable(shape).rows.map(\.path) == paths) }
        #expect(SettingTable(.text).root == "text")
        #expect(SettingTable(.object([])).text == ["  none"])
        #expect(SettingTable(.object([leaf])).text.first == "  leaf  (required)")
    }

    @Test("An example is left out if the catalogue lacks the types around it")
    func foreignCatalogue() throws {
        let type = try #require(Catalogue.standard.stages.first)
        #expect(ExamplePipeline.text(for: type, catalogue: Catalogue()) == nil)
    }

    @Test("JSON keeps the order of members and escapes special characters")
    func json() {
        let value = JSONValue.members(["b": 1, "a": ["x\"y", .null, true], "none": nil, "o": .object([])])
        #expect(value.compact == #"{"b":1,"a":["x\"y",null,true],"o":{}}"#)
        #expect(value.pretty == "{\n  \"b\": 1,\n  \"a\": [\"x\\\"y\", null, true],\n  \"o\": {}\n}")
    }
}
