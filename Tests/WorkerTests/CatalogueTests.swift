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

    @Test(
        "Of alternative settings, none is called required, but one of them is",
        arguments: [
            ("aggregate", "values.NAME.sum", "one of count, sum, min, max, avg, distinct is required"),
            ("explode", "as", "at least one of fields, as is required"),
            ("filter", "drop", "one of keep, drop is required"), ("lookup", "hash", "one of store, hash is required"),
            ("metrics", "gauge", "one of counter, gauge, histogram is required"),
            ("publish", "channel", "one of stream, channel is required"),
            ("revoke", "match", "one of key, match is required"),
            ("validate", "NAME.length.max", "at least one of min, max is required"),
            ("redis", "address", "one of address, sentinel, cluster is required"),
            ("gateway", "http", "at least one of http, grpc, redis is required"),
            ("gateway", "http.key[].header", "one of header, cookie, bearer is required"),
            ("redis_stream", "streams", "one of stream, streams is required"),
        ])
    func alternatives(type: String, path: String, requirement: String) throws {
        let pages = CataloguePage.all(of: .standard).filter { $0.name == type && $0.kind != .store }
        let table = SettingTable(try #require(pages.first).shape)
        let row = try #require(table.rows.first { $0.path == path }, "\(table.rows.map(\.path))")
        #expect(row.requirement == requirement && !row.setting.isRequired)
        #expect(table.text.contains("  \(path)  (\(requirement))"))
        let names = try #require(row.setting.alternatives?.names)
        let quoted = names.map { "\"\($0)\"" }.joined(separator: ", ")
        #expect(table.json.compact.contains("\"alternatives\":[\(quoted.replacing(", ", with: ","))]"))
    }

    @Test(
        "A setting of one form of its parent is required in that form only",
        arguments: [
            ("aggregate", "key[].expr", "required in this form"),
            ("revocations", "publish.channel", "one of channel, stream is required"),
            ("revocations", "publish.stream", "one of channel, stream is required"),
        ])
    func forms(type: String, path: String, requirement: String) throws {
        let page = try #require(CataloguePage.all(of: .standard).first { $0.name == type })
        let row = try #require(SettingTable(page.shape).rows.first { $0.path == path })
        #expect(row.requirement == requirement)
    }

    @Test("A long requirement is on lines of its own; a single name of a choice is required")
    func longRequirement() {
        let names = (1...12).map { SettingDescription(name: "alternative\($0)", shape: .text, summary: "A name.") }
        let lines = SettingTable(.oneName(names)).text
        #expect(lines.contains("  alternative1") && lines.allSatisfy { $0.count <= TextWrap.width })
        #expect(SettingTable(.oneName(Array(names.prefix(1)))).text.contains("  alternative1  (required)"))
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
