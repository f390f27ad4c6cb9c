import StageKit
import StageTestKit
import Testing

/// Breaches of the contract of stages with a state, one at a time.
enum TallyFault: String, CaseIterable, Sendable {
    case none, hidesState, hidesEvents, comparesEntries, addsOldEvents
}

/// Counts events, and adds an event with their number after every second one.
final class TallyStage: StatefulStage, EmittingStage {
    /// The number of events, and the id of the last one with the number of its element counted from 1.
    final class Tally: StageState {
        let content = OrderedMutex((count: 0, last: EventID(.zero)))

        func save() -> [UInt8] {
            let (count, last) = self.content.withLock { $0 }
            let (entry, element) = (last.entry, (last.element ?? -1) + 1)
            return Array("\(count) \(entry.milliseconds) \(entry.sequence) \(element) end".utf8)
        }

        func restore(_ bytes: [UInt8]) throws(StageFailure) {
            let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
            let parts = words.dropLast().compactMap { UInt64($0) }
            guard words.last == "end", parts.count == 4 else { throw StageFailure("not a tally") }
            let entry = EntryID(milliseconds: parts[1], sequence: parts[2])
            let last = EventID(entry, element: parts[3] == 0 ? nil : Int(parts[3]) - 1)
            self.content.withLock { $0 = (count: Int(parts[0]), last: last) }
        }
    }

    static let declaration = StageDeclaration(
        name: "tally", summary: "Counts events.",
        settings: .object(
            SettingsSchema(
                TallyFault.none,
                [
                    .optional(
                        "fault", \.self, .choice(of: TallyFault.allCases.map { ($0.rawValue, $0) }),
                        "Breach of the contract.")
                ])),
        example: "tally: {}", failureReason: "tally_failure", remembers: true)

    let emitsInOrder = true
    private let fault: TallyFault
    private let number: FieldID
    private let counted: ReasonID
    private let tally = Tally()
    private var pending: [(id: EntryID, count: Int)] = []

    init(_ settings: TallyFault, _ setup: StageSetup) {
        self.fault = settings
        self.number = setup.emits("number", type: .integer)
        self.counted = setup.reason("counted")
    }

    var state: any StageState { self.tally }
    var stateful: (any StatefulStage)? { self.fault == .hidesState ? nil : self }
    var emitting: (any EmittingStage)? { self.fault == .hidesEvents ? nil : self }

    func process(_ event: inout Event) -> Verdict {
        let id = self.fault == .comparesEntries ? EventID(event.id) : event.eventID
        let count = self.tally.content.withLock { content -> Int? in
            guard id > content.last else { return nil }
            content = (count: content.count + 1, last: id)
            return content.count
        }
        if let count, count.isMultiple(of: 2) {
            let time = self.fault == .addsOldEvents ? 1 : id.entry.milliseconds
            self.pending.append((EntryID(milliseconds: time, sequence: UInt64(count)), count))
        }
        return .finish(.applied, self.counted)
    }

    var hasEmissions: Bool { !self.pending.isEmpty }

    func emit(into events: EmittedEvents) {
        for (id, count) in self.pending {
            events.add(id: id) { event in event.set(self.number, copying: Array("\(count)".utf8)) }
        }
        self.pending = []
    }
}

/// Numbers events; depends on all earlier ones, or on those with the same value.
final class NumberStage: Stage {
    static let declaration = StageDeclaration(
        name: "number", summary: "Numbers events.",
        settings: .object(
            SettingsSchema(false, [.optional("by_key", \.self, .boolean, default: "false", "Whether keys count.")])),
        example: "number: {}", failureReason: "number_failure")

    private let isByKey: Bool
    private let key: FieldID
    private let number: FieldID
    private var counts: [[UInt8]: Int] = [:]

    init(_ settings: Bool, _ setup: StageSetup) {
        self.isByKey = settings
        self.key = setup.input(LocatedName("user", at: SettingPosition(line: 1, column: 1)))
        self.number = setup.output("number")
    }

    func process(_ event: inout Event) -> Verdict {
        let isByKey = self.isByKey
        let key = event.withValue(of: self.key) { value -> [UInt8] in
            guard isByKey, let value else { return [] }
            return value.indices.map { value[$0] }
        }
        self.counts[key, default: 0] += 1
        event.set(self.number, copying: Array("\(self.counts[key] ?? 0)".utf8))
        return .next
    }
}

@Suite struct StagePromiseTests {
    @Test(
        arguments: [
            (TallyFault.none, nil), (.hidesState, "stateful is nil although the stage conforms to StatefulStage"),
            (.hidesEvents, "emitting is nil although the stage conforms to EmittingStage"),
            (.comparesEntries, "the elements of an entry do not count like entries"),
            (.addsOldEvents, "emitsInOrder is true, but the added event 1-"),
        ] as [(TallyFault, String?)])
    func `A broken promise of a stage with a state is found`(fault: TallyFault, violation: String?) async {
        let violations = await StageConformance.check(
            TallyStage.self, ["fault": .text(fault.rawValue)],
            entries: [SampleEntry(["a": "b"]), SampleEntry(["c": "d"]), SampleEntry([:])])
        if let violation {
            #expect(violations.contains { $0.hasPrefix(violation) }, "\(violations)")
        } else {
            #expect(violations == [])
        }
    }

    @Test(arguments: [(true, true), (false, false)])
    func `A stage that depends on events with other keys has to say so`(isByKey: Bool, isFine: Bool) async {
        let violations = await StageConformance.check(
            NumberStage.self, ["by_key": .text("\(isByKey)")],
            entries: [SampleEntry(["user": "a"]), SampleEntry(["user": "b"]), SampleEntry(["user": "a"])],
            in: StageFixture(fields: ["user"]))
        #expect(
            violations
                == (isFine
                    ? []
                    : [
                        "the result for an event depends on events with other values: declare remembers: true, or call "
                            + "setup.usesOtherKeys()"
                    ]))
    }
}
