import ComponentKit
import Logging
import PipelineEngine
import StageKit
import StageTestKit

/// Takes fields over by name; fails on an event that has a field called `bad`.
final class TakeStage: Stage {
    struct Settings: Sendable {
        var fields: [String] = []
    }

    static let declaration = StageDeclaration<Settings>(
        name: "take", summary: "Takes fields over.",
        settings: .object(SettingsSchema(Settings(), [.optional("fields", \.fields, .list(of: .text), "The fields.")])),
        example: "take: { fields: [a] }", failureReason: "bad_event", isPure: true)

    private let columns: [(name: String, field: FieldID)]

    init(_ settings: Settings, _ setup: StageSetup) {
        self.columns = settings.fields.map { ($0, setup.output($0)) }
    }

    func process(_ event: inout Event) throws -> Verdict {
        for position in 0..<event.rawFieldCount {
            let raw = event.rawField(at: position)
            let name = event.text(raw.name)
            if name == "bad" { throw StageFailure("take: bad field") }
            for column in self.columns where column.name == name { event.set(column.field, range: raw.value) }
        }
        return .next
    }
}

/// Records an effect; fails on or finishes the events that its settings name.
final class ProbeStage: Stage {
    struct Settings: Sendable {
        var effect = "probe"
        var failOn: String?
        var finishOn: String?
        var field: LocatedName?
    }

    struct Odd: Error {}

    static let declaration = StageDeclaration<Settings>(
        name: "probe", summary: "Records an effect.",
        settings: .object(
            SettingsSchema(
                Settings(),
                [
                    .optional("effect", \.effect, .text, "The effect's name."),
                    .optional("fail_on", \.failOn, .optional(.text), "Fails on the event with this id."),
                    .optional("finish_on", \.finishOn, .optional(.text), "Finishes the event with this id."),
                    .optional("field", \.field, .optional(.name), "A field that it needs."),
                ])),
        example: "probe: { effect: x }", failureReason: "probe_failure")

    private let settings: Settings
    private let effect: EffectID
    private let reason: ReasonID

    init(_ settings: Settings, _ setup: StageSetup) {
        self.settings = settings
        self.effect = setup.effect(settings.effect)
        self.reason = setup.reason("enough")
        if let field = settings.field { _ = setup.input(field) }
    }

    func process(_ event: inout Event) throws -> Verdict {
        if self.settings.failOn == event.id.description { throw Odd() }
        if self.settings.finishOn == event.id.description { return .finish(.skipped, self.reason) }
        event.record(self.effect)
        return .next
    }
}

/// Collects what becomes of events.
final class EventResults: Sendable {
    private let records = OrderedMutex<[(id: EntryID, record: EventResult)]>([])

    var all: [(id: EntryID, record: EventResult)] { self.records.withLock { $0 } }

    func add(_ id: EntryID, _ record: EventResult) {
        self.records.withLock { $0.append((id, record)) }
    }
}

final class EventResultsObserver: OutcomeObserver {
    private let records: EventResults

    init(_ records: EventResults) {
        self.records = records
    }

    func observe(_ event: borrowing Event, _ record: EventResult) {
        self.records.add(event.id, record)
    }

    func endBatch() async throws {}
}

/// What the tests' pipeline files may name.
enum Probes {
    static func catalogue(
        entries: [MemorySource.Entry] = [], batchSize: Int = 3, withoutDeadLetters: Bool = false
    ) -> Catalogue {
        var catalogue = Catalogue()
        catalogue.add(TakeStage.self)
        catalogue.add(ProbeStage.self)
        catalogue.add(ActStage.self)
        catalogue.add(WaitingActStage.self)
        catalogue.add(SplitStage.self)
        catalogue.add(FlakyStage.self)
        catalogue.add(WaitingFlakyStage.self)
        if !withoutDeadLetters { catalogue.add(DeadLetterProbe.self) }
        catalogue.add(
            StoreType(name: "recording", summary: "Remembers changes.", settings: .object(SettingsSchema(true, []))) {
                _, setup in RecordingStore(name: setup.name, key: "key")
            })
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(
            SourceType(name: "memory", summary: "Given entries.", settings: nothing) { _, _ in
                MemorySource(entries: entries, batchSize: batchSize)
            })
        let anything = SettingType<Bool>(shape: .form("anything")) { _, _ in true }
        catalogue.add(SectionType(name: "extra", summary: "A section.", settings: anything))
        return catalogue
    }

    static func pipeline(
        _ text: String, entries: [MemorySource.Entry] = [], batchSize: Int = 3, environment: [String: String] = [:],
        overrides: [String] = [], records: EventResults? = nil, log: RecordingLog? = nil
    ) throws(ConfigurationError) -> Pipeline {
        let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        var services = PipelineServices(logger: log?.logger(label: "test") ?? silent)
        if let records { services.makeObserver = { EventResultsObserver(records) } }
        return try Pipeline(
            text: Array(text.utf8), file: "p.yaml", environment: environment,
            overrides: overrides.compactMap { Override($0) },
            catalogue: self.catalogue(entries: entries, batchSize: batchSize), services: services)
    }
}
