import ExplodeStage
import StageKit
import StageTestKit
import Testing

@Suite struct ExplodeStageTests {
    private static let fields: SettingNode = ["sku": ["required": "true"], "quantity": ["type": "int64"]]

    private var fixture: StageFixture {
        var fixture = StageFixture(fields: ["id", "items"])
        fixture.types = ["items": .json]
        return fixture
    }

    /// The result for an event with the id `o-1` and a list, or without one.
    private func explode(
        _ list: String?, _ settings: SettingNode = ["field": "items", "fields": Self.fields],
        in fixture: StageFixture? = nil
    ) async throws -> EventReport {
        let harness = try StageHarness(ExplodeStage.self, settings, in: fixture ?? self.fixture)
        let entry = list.map { SampleEntry(["id": "o-1", "items": $0]) } ?? SampleEntry(["id": "o-1"])
        return try await harness.feed(entry)[0]
    }

    @Test("Explode keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            ExplodeStage.self, ["field": "items", "fields": Self.fields, "as": "item", "max_elements": "3"],
            entries: [
                SampleEntry(["id": "o-1", "items": #"[{"sku":"a","quantity":2},{"sku":"\u0062"},{}]"#]),
                SampleEntry(["id": "o-2", "items": "[]"]), SampleEntry(["id": "o-3", "items": "[1,2,3,4]"]),
                SampleEntry(["id": "o-4"]), SampleEntry(["items": "{"]),
            ], in: self.fixture)
        #expect(violations == [])
    }

    @Test("Each element becomes an event with the fields of the entry, except the list, and its own")
    func elements() async throws {
        let list = #" [ {"sku":"a","quantity":2} , {"quantity":null,"sku":"\u0062\"","more":[1]} ] "#
        let elements = try #require(try await self.explode(list).elements)
        #expect(elements.map(\.ending) == [.next, .next])
        #expect(elements.map { $0.text("id") } == ["o-1", "o-1"])
        #expect(elements.map { $0.text("sku") } == ["a", "b\""])
        #expect(elements.map { $0.values["quantity"]?.integer } == [2, nil])
        #expect(elements.map { $0.text("items") } == [nil, nil])
    }

    @Test("A field of an element replaces one of the entry, and an element without it leaves none")
    func replaced() async throws {
        let settings: SettingNode = ["field": "items", "fields": ["id": [:]]]
        let elements = try await self.explode(#"[{"id":"l-1"},{}]"#, settings).elements
        #expect(elements?.map { $0.text("id") } == ["l-1", nil])
    }

    @Test(
        "Elements of any kind are kept as JSON or read as a type",
        arguments: [
            (nil, #"["a", 1, {"b": [ ]}, null, true]"#, [#""a""#, "1", #"{"b": [ ]}"#, "null", "true"]),
            ("string", #"["a\n", 1, true]"#, ["a\n", "1", "true"]),
            ("int64", #"[1, "-2"]"#, ["1", "-2"]), ("double", "[1.5]", ["1.5"]),
        ] as [(String?, String, [String])])
    func scalars(type: String?, list: String, values: [String]) async throws {
        let typed: [(String, SettingNode)] = type.map { [("type", .text($0))] } ?? []
        let settings = SettingNode.mapping([("field", "items"), ("as", "item")] + typed)
        let elements = try await self.explode(list, settings).elements
        #expect(elements?.map { $0.text("item") } == values)
        #expect(elements?.allSatisfy { $0.ending == .next } == true)
    }

    @Test("Paths lead into objects and lists of an element")
    func paths() async throws {
        let settings: SettingNode = [
            "field": "items",
            "fields": [
                "city": ["path": "to.city"], "second": ["path": "tags[1]"],
                "all": ["path": "tags[*]", "type": "json"], "item": ["path": "to", "type": "json"],
            ],
        ]
        let elements = try await self.explode(#"[{"to":{"city":"Bonn"},"tags":["x","y"]},{}]"#, settings).elements
        #expect(elements?[0].text("city") == "Bonn" && elements?[0].text("second") == "y")
        #expect(elements?[0].text("all") == #"["x","y"]"# && elements?[0].text("item") == #"{"city":"Bonn"}"#)
        #expect(elements?[1].values["city"] == nil && elements?[1].values["all"] == nil)
    }

    @Test(
        "An element that cannot be read fails alone, and keeps the fields that it has",
        arguments: [
            (#"{"quantity":1}"#, "missing sku"), (#"{"sku":null}"#, "missing sku"),
            (#"{"sku":"a","quantity":"x"}"#, #"quantity: "x" is not a whole number"#),
            (
                #"{"sku":"a","quantity":99999999999999999999}"#,
                #"quantity: "99999999999999999999" is out of range for a 64-bit number"#
            ),
            (#"{"sku":{}}"#, "sku: expected a string, a number, true or false, found an object"),
            ("7", "expected an object, found a number"), ("[]", "expected an object, found a list"),
            ("null", "expected an object, found null"),
        ])
    func badElement(element: String, problem: String) async throws {
        let list = #"[{"sku":"a"},\#(element),{"sku":"c"}]"#
        let elements = try #require(try await self.explode(list).elements)
        #expect(elements.map { $0.failure == nil } == [true, false, true])
        #expect(elements[1].failureMessage == "explode: items[1]: \(problem)")
        #expect(elements[1].failure?.reason == "explode_failure")
        #expect(elements[1].text("id") == "o-1" && elements[1].values["items"] == nil)
        if element.contains("quantity\":1") { #expect(elements[1].values["quantity"]?.integer == 1) }
    }

    @Test(
        "An event without a list fails",
        arguments: [
            (nil, "missing items"), ("7", "items: expected a list, found a number"),
            ("{}", "items: expected a list, found an object"), ("null", "items: expected a list, found null"),
            ("[1", "items: invalid JSON at byte 2: expected , or ], found the end of the text"),
            ("[1,2,3]", "items: more than 2 elements: raise max_elements if that is intended"),
        ] as [(String?, String)])
    func noList(list: String?, problem: String) async throws {
        let settings: SettingNode = ["field": "items", "as": "item", "max_elements": "2"]
        for type in [FieldType.json, .text] {
            var fixture = self.fixture
            fixture.types["items"] = type
            #expect(try await self.explode(list, settings, in: fixture).failureMessage == "explode: \(problem)")
        }
        #expect(try await self.explode("[1,2]", settings).elements?.count == 2)
    }

    @Test("An event with an empty list is finished", arguments: ["[]", " [ ] "])
    func empty(list: String) async throws {
        #expect(try await self.explode(list).ending == .finished(.skipped, reason: "empty_list"))
    }

    @Test("The values of a secret list are not shown")
    func secret() async throws {
        var fixture = self.fixture
        fixture.secrets = ["items"]
        let report = try await self.explode(#"[{"sku":"a","quantity":"hidden"}]"#, in: fixture)
        #expect(
            report.elements?[0].failureMessage == "explode: items[0]: quantity: [secret] is not a whole number")
    }

    @Test(
        "Settings that do not fit together are refused",
        arguments: [
            (["field": "items"], #"explode: missing setting "fields" or "as""#),
            (["field": "items", "fields": ["a": [:]], "type": "json"], "explode: type requires as"),
            (
                ["field": "items", "fields": ["a": [:]], "as": "a"],
                #"explode: as: "a" is also in fields: choose another name"#
            ),
            (["field": "items", "as": "a", "format": "ms"], "explode: format requires type: timestamp or duration"),
            (["field": "number", "as": "a"], "explode: field: number is not a list: decode it with type: json"),
            (
                ["field": "other", "as": "a"],
                #"explode: no earlier stage provides the field "other" (one of items, number)"#
            ),
        ] as [(SettingNode, String)])
    func mistakes(settings: SettingNode, message: String) {
        var fixture = StageFixture(fields: ["items", "number"])
        fixture.types = ["number": .integer]
        let found = StageHarness<ExplodeStage>.mistakes(settings, in: fixture)
        #expect(found.count == 1 && found.first?.hasSuffix(message) == true, "\(found)")
    }
}
