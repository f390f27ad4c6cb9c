import ComponentKit
import PipelineEngine
import StageKit
import StageTestKit
import Testing
import Worker

/// A store of another package that declares what a memory store declares too.
private final class DeclaringStore: InPlaceStore {
    let name: String
    let keyField = "id"
    let count = 0
    let freshness: Freshness? = Freshness()
    let retention = StoreRetention.process
    let groupObstacles = ["it needs all entries"]
    let permitsTimeInConditions = false
    let conditions: [NamedSetting<ConditionSettings>]
    let namedFields: [NamedFields]
    let keptFields = ["status"]

    init(_ name: String, _ settings: Settings) {
        self.name = name
        self.conditions = settings.conditions
        self.namedFields = [NamedFields("stores: \(name): owner", [settings.owner].compactMap(\.self))]
    }

    struct Settings: Sendable {
        var conditions: [NamedSetting<ConditionSettings>] = []
        var owner: LocatedName?

        static let type = SettingType.object(
            SettingsSchema(
                Settings(),
                [
                    .optional("conditions", \.conditions, .map(of: .condition), "The conditions."),
                    .optional("owner", \.owner, .optional(.name), "A field."),
                ]))
    }

    func snapshot(for key: Span<UInt8>) -> Snapshot? { nil }
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {}
    func forEachEvictedKey(_ body: (_ key: [UInt8], _ entry: EntryID) throws -> Void) rethrows {}
    func removeAll() {}
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        RecordingStore().makeWriter(key: key, fields: fields)
    }
    func makeProbe(_ condition: ConditionSettings, fields: [String]) -> any SnapshotProbe { Probe() }
    func makeProbe(named name: String, fields: [String]) -> (any SnapshotProbe)? { Probe() }
    func readFields(of key: Span<UInt8>, _ body: (_ field: Int, _ value: Span<UInt8>) -> Void) -> Bool { false }
    func fieldName(_ number: Int) -> String { "" }
    func scanKeys(from cursor: UInt64, count: Int, _ body: (Span<UInt8>) -> Void) -> UInt64 { 0 }

    private struct Probe: SnapshotProbe {
        func check(_ key: Span<UInt8>, _ body: (Span<UInt8>?) -> Void) -> Bool? { nil }
    }
}

/// A source of another package whose workers share the entries, or not.
private final class DeclaringSource: EventSource {
    let stream = "s"
    let status = SourceStatus()
    let groupName: String?
    let streams: [String]

    init(groupName: String?, streams: [String] = ["s"]) {
        self.groupName = groupName
        self.streams = streams
    }

    func run(_ deliver: nonisolated(nonsending) (EventBatch) async throws -> Void) async throws {}
    func stop() {}
}

@Suite struct StoreCapabilityTests {
    private func issues(
        _ store: String, group: String? = nil, streams: [String] = ["s"], gateway: String = ""
    ) -> [String] {
        var catalogue = Catalogue.standard
        catalogue.add(
            StoreType(name: "declaring", summary: "A store.", settings: DeclaringStore.Settings.type) {
                DeclaringStore($1.name, $0)
            })
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(
            SourceType(name: "declared", summary: "A source.", settings: nothing) { _, _ in
                DeclaringSource(groupName: group, streams: streams)
            })
        let text = """
            pipeline: p
            source: { declared: {} }
            stores: { things: { declaring: { \(store) } } }
            stages:
              - decode: { fields: { id: { required: true, blank: reject }, status: {} } }
              - upsert: { store: things }
            \(gateway)
            """
        return FileFindings(text, catalogue: catalogue).errors
    }

    @Test("A store that does not distinguish streams is refused with a source of several")
    func severalStreams() {
        #expect(
            self.issues("", streams: ["s", "t"]) == [
                "p.yaml:3:21: stores: things: a store of the type declaring cannot be filled from several streams, because "
                    + "it compares their ids: read one stream, or choose another type of store"
            ])
    }

    @Test("A source whose workers share the entries cannot be used with stages that keep a state")
    func groups() {
        #expect(DeclaringSource(groupName: nil).stateObstacle == nil)
        #expect(DeclaringSource(groupName: "g").stateObstacle?.hasPrefix("in a group: ") == true)
        #expect(DeclaringSource(groupName: nil, streams: ["s", "t"]).stateObstacle?.hasPrefix("with several") == true)
    }

    private static func gateway(_ allow: String) -> String {
        "gateway: { store: things, allow: \(allow), http: { listen: \"127.0.0.1:1\", key: [ { cookie: sid } ] } }"
    }

    @Test("The fields, conditions and obstacles that a store declares are checked, whatever its type")
    func checks() {
        #expect(self.issues("owner: status, conditions: { active: { status: active } }") == [])
        #expect(
            self.issues("owner: user") == [
                "p.yaml:3:41: stores: things: owner: no stage keeps the field \"user\" in the store things (one of status)"
            ])
        #expect(
            self.issues("conditions: { late: \"now > timestamp(status)\" }").contains {
                $0.hasPrefix("p.yaml:3:") && $0.contains("stores: things: conditions: late")
            })
        #expect(
            self.issues("", group: "g") == ["p.yaml:3:11: stores: things: it needs all entries"])
    }

    @Test("The gateway can use every store that is read in place")
    func gateway() {
        let store = "conditions: { active: { status: active } }"
        #expect(self.issues(store, gateway: Self.gateway("active")) == [])
        #expect(self.issues(store, gateway: Self.gateway("{ status: active }")) == [])
        let unknown = self.issues(store, gateway: Self.gateway("actve"))
        #expect(unknown.count == 1 && unknown[0].contains("the store things has no condition \"actve\""), "\(unknown)")
    }
}
