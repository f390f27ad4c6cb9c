import Foundation
import Logging
import StageKit

extension TestFile {
    /// The setting type of a test file.
    static let type = SettingType<TestFile>.object(schema)

    private static let schema = SettingsSchema(
        TestFile(),
        [
            .required(
                "pipeline", \.pipeline, SettingType<String>.nonBlankText.located,
                "The pipeline file, relative to this file."),
            .optional(
                "environment", \.environment, .map(of: .text),
                "Values of ${NAME} in the pipeline file; no other variable is set."),
            .optional("set", \.overrides, .map(of: .text), "Values that override the pipeline file, by path."),
            .required(
                "cases", \.cases, TestCase.type.list(minimum: 1, limit: caseLimit, of: "cases"), "The cases."),
        ])
}

extension TestCase {
    /// The setting type of a case.
    static let type = SettingType<TestCase>.object(schema)

    private static let schema = SettingsSchema(
        TestCase(),
        [
            .required("name", \.name, SettingType<String>.nonBlankText.located, "Expected behaviour, as a sentence."),
            .optional("environment", \.environment, .map(of: .text), "Further variables for this case."),
            .optional("set", \.overrides, .map(of: .text), "Further overrides for this case."),
            .optional(
                "clock", \.clock, clock, default: "2023-11-14T22:13:20Z",
                "The constant time that stages read, ISO 8601 or milliseconds since the epoch."),
            .required(
                "entries", \.entries, TestEntry.type.list(minimum: 1, limit: TestFile.entryLimit, of: "entries"),
                "Entries that the source delivers, in order."),
            .optional(
                "hashes", \.hashes, .map(of: SettingType<[NamedSetting<[UInt8]>]>.map(of: TestBytes.type)),
                "Redis hashes that lookup finds, by key, with their fields; there are no others."),
            .optional(
                "outcomes", \.outcomes,
                SettingType<[OutcomeExpectation]>.list(of: OutcomeExpectation.type).located.present,
                "Outcome of each entry."),
            .optional("stores", \.stores, .map(of: StoreExpectation.type), "Content of stores at the end."),
            .optional(
                "revocations", \.revocations, SettingType<[[UInt8]]>.list(of: TestBytes.type).located.present,
                "Revoked keys, in order."),
            .optional(
                "evictions", \.evictions, SettingType<[[UInt8]]>.list(of: TestBytes.type).located.present,
                "Evicted keys, in order."),
            .optional(
                "messages", \.messages,
                SettingType<[MessageExpectation]>.list(of: MessageExpectation.type).located.present,
                "Messages that stages send to streams and channels, in stream order."),
            .optional("metrics", \.metrics, .map(of: number), "Metrics, as in /metrics."),
            .optional(
                "log", \.log, SettingType<[LogExpectation]>.list(of: LogExpectation.type).located.present,
                "Log lines of level info and above, in order."),
            .optional(
                "fails", \.failure, SettingType<String>.nonBlankText.located.present,
                "Part of the error that ends the run."),
        ])

    private static let clock = SettingType<String>.text.map { (text) throws(SettingRefusal) -> Int64 in
        if let milliseconds = Int64(text) { return milliseconds }
        guard let date = try? Date(text, strategy: .iso8601) else {
            throw SettingRefusal("expected a time such as 2023-11-14T22:13:20Z, found \"\(text)\"")
        }
        return Int64(date.timeIntervalSince1970 * 1000)
    }

    private static let number = SettingType<String>.text.map { (text) throws(SettingRefusal) -> Double in
        guard let value = Double(text) else { throw SettingRefusal("expected a number, found \"\(text)\"") }
        return value
    }
}

extension TestEntry {
    /// The setting type of an entry.
    static let type = SettingType<TestEntry>.object(schema)

    private static let schema = SettingsSchema(
        TestEntry(),
        [
            .optional("id", \.id, entryID.present, "Id; default: the millisecond after the previous entry."),
            .required("fields", \.fields, fieldList, "Names with values; a list of them if names are repeated."),
        ])

    /// An entry's id.
    static let entryID = SettingType<String>.text.map { (text) throws(SettingRefusal) -> EntryID in
        guard let id = EntryID(text) else {
            throw SettingRefusal("expected an entry's id such as 1700000000000-0, found \"\(text)\"")
        }
        return id
    }

    /// `{ name: value }`, or a list of `{ name: value }` and of `{ name: bytes, value: bytes }`.
    private static let fieldList = SettingType<[(name: [UInt8], value: [UInt8])]>(
        shape: .form("names with values, or a list of them")
    ) { node, issues in
        switch node.content {
        case .mapping(let entries): return TestEntry.pairs(entries, &issues)
        case .sequence(let items):
            let read = items.map { TestEntry.items($0, &issues) }
            return read.contains { $0 == nil } ? nil : read.flatMap { $0 ?? [] }
        default:
            issues.add("expected names with values, found \(node.kindName)", at: node.position)
            return nil
        }
    }

    private static func pairs(
        _ entries: [SettingNode.Pair], _ issues: inout SettingIssues
    ) -> [(name: [UInt8], value: [UInt8])]? {
        let read = entries.map { entry in
            TestBytes.type.decode(entry.value, &issues).map { (name: Array(entry.key.utf8), value: $0) }
        }
        return read.contains { $0 == nil } ? nil : read.compactMap { $0 }
    }

    private static func items(
        _ node: SettingNode, _ issues: inout SettingIssues
    ) -> [(name: [UInt8], value: [UInt8])]? {
        guard let entries = node.pairs else {
            issues.add("expected a name with its value, found \(node.kindName)", at: node.position)
            return nil
        }
        guard entries.count == 2, let name = node["name"], let value = node["value"] else {
            return self.pairs(entries, &issues)
        }
        guard let name = TestBytes.type.decode(name, &issues), let value = TestBytes.type.decode(value, &issues)
        else { return nil }
        return [(name, value)]
    }
}

extension OutcomeExpectation {
    /// An outcome alone, or an outcome with further expectations.
    static let type = Self.read(
        SettingsSchema(
            OutcomeExpectation(),
            members + [
                .optional(
                    "elements", \.elements, SettingType<[OutcomeExpectation]>.list(of: element).present,
                    "Outcomes of the entry's elements, in order.")
            ]), shape: "an outcome, or { outcome, reason, stage, error, effects, fields, elements }")

    /// The same for an element, which has no elements.
    private static let element = Self.read(
        SettingsSchema(OutcomeExpectation(), members),
        shape: "an outcome, or { outcome, reason, stage, error, effects, fields }")

    private static func read(
        _ schema: SettingsSchema<OutcomeExpectation>, shape: String
    ) -> SettingType<OutcomeExpectation> {
        SettingType<OutcomeExpectation>(shape: .form(shape)) { node, issues in
            if case .scalar = node.content {
                return outcome.decode(node, &issues).map { OutcomeExpectation(position: node.position, outcome: $0) }
            }
            guard var read = schema.decode(node, &issues) else { return nil }
            read.position = node.position
            if node.pairs?.isEmpty != false {
                issues.add("expected an outcome (one of \(names.joined(separator: ", ")))", at: node.position)
                return nil
            }
            return read
        }
    }

    private static let names = Outcome.allCases.map(\.name)
    private static let outcome = SettingType<Outcome>.choice(of: Outcome.allCases.map { ($0.name, $0) })

    private static let members: [SettingField<OutcomeExpectation>] = [
        .optional("outcome", \.outcome, outcome.present, "The outcome."),
        .optional("reason", \.reason, SettingType<String>.text.present, "The reason, \"\" for none."),
        .optional("stage", \.stage, SettingType<LocatedName>.name.present, "The stage that failed."),
        .optional("error", \.error, SettingType<String>.text.present, "The error, \"\" for none."),
        .optional("effects", \.effects, SettingType<[String]>.list(of: .text).present, "Effects, in order."),
        .optional(
            "fields", \.fields, .map(of: .optional(TestBytes.type)),
            "Values that the event has at its end, by field; null: without the field."),
    ]
}

extension StoreExpectation {
    /// The setting type of a store expectation.
    static let type = SettingType<StoreExpectation>.object(schema)

    private static let schema = SettingsSchema(
        StoreExpectation(),
        [
            .optional("holds", \.holds, held, "Snapshots by key, with at least these fields; null: without the field."),
            .optional(
                "exactly", \.exactly, held.located.present,
                "Snapshots by key, with these fields and no others, and nothing else."),
            .optional(
                "absent", \.absent, SettingType<[Located<[UInt8]>]>.list(of: TestBytes.type.located),
                "Keys without a snapshot."),
            .optional("count", \.count, SettingType<Int>.integer(0...Int.max).located.present, "Number of snapshots."),
        ])

    /// `{ key: { field: value } }`, or a list of `{ key, entry, fields }` if a key is not text or the entry matters.
    private static let held = SettingType<[Held]>(shape: .form("keys with fields, or a list of { key, entry, fields }"))
    {
        node, issues in
        if case .sequence = node.content { return SettingType<[Held]>.list(of: item).decode(node, &issues) }
        guard let found = SettingType<[NamedSetting<[NamedSetting<[UInt8]?>]>]>.map(of: fields).decode(node, &issues)
        else { return nil }
        return found.map { Held(key: Array($0.name.utf8), position: $0.position, fields: $0.value) }
    }

    private static let fields = SettingType<[NamedSetting<[UInt8]?>]>.map(of: .optional(TestBytes.type))

    private static let item = SettingType<Held>(shape: SettingType<Held>.object(itemSchema).shape) { node, issues in
        guard var read = itemSchema.decode(node, &issues) else { return nil }
        read.position = node.position
        return read
    }

    private static let itemSchema = SettingsSchema<Held>(
        Held(),
        [
            .required("key", \.key, TestBytes.type, "The key."),
            .optional("entry", \.entry, TestEntry.entryID.present, "The entry that the snapshot comes from."),
            .optional("fields", \.fields, fields, "The fields."),
        ])
}

extension LogExpectation {
    /// The setting type of a log expectation.
    static let type = SettingType<LogExpectation>(shape: SettingType<LogExpectation>.object(schema).shape) {
        node, issues in
        guard var read = schema.decode(node, &issues) else { return nil }
        read.position = node.position
        return read
    }

    private static let levels = Logger.Level.allCases.filter { $0 >= .info }.map(\.rawValue)

    private static let schema = SettingsSchema(
        LogExpectation(),
        [
            .optional("level", \.level, SettingType<String>.choice(levels).present, "The level."),
            .optional("message", \.message, SettingType<String>.text.present, "The message."),
            .optional("values", \.values, .map(of: .text), "Some of its fields, by name."),
        ])
}
