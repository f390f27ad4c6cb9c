import Logging
import PipelineEngine
import StageKit
import StageTestKit

/// Expands an event into as many elements as its field `n` says, and sets `k` to the number of each; fails on those in
/// `bad`. An event without `n` continues, and one with `n` 0 is finished.
final class FanStage: Stage {
    static let declaration = StageDeclaration(
        name: "fan", summary: "Expands events.", settings: SettingType<Bool>.object(SettingsSchema(true, [])),
        example: "fan: {}", failureReason: "fan_failure", expands: true)

    private let number: FieldID
    private let reason: ReasonID

    init(_ settings: Bool, _ setup: StageSetup) {
        self.number = setup.output("k")
        self.reason = setup.reason("none")
    }

    func process(_ event: inout Event) throws -> Verdict {
        guard let text = event.raw("n") else { return .next }
        guard let count = Int(text) else { throw StageFailure("fan: no number") }
        return count == 0 ? .finish(.skipped, self.reason) : .wait
    }

    func complete(_ events: WaitingEvents) async throws {
        for position in 0..<events.count {
            let (count, bad) = events.withEvent(at: position) { event in
                (
                    event.raw("n").flatMap { Int($0) } ?? 0,
                    event.raw("bad")?.split(separator: ",").map(String.init) ?? []
                )
            }
            events.expand(at: position, into: count) { (number, event) throws(StageFailure) in
                event.set(self.number, copying: Array("\(number)".utf8))
                if bad.contains("\(number)") { throw StageFailure("fan: bad element") }
            }
        }
    }
}

/// Expands although its declaration does not say so.
final class SneakyFanStage: Stage {
    static let declaration = StageDeclaration(
        name: "sneaky_fan", summary: "Expands events.", settings: SettingType<Bool>.object(SettingsSchema(true, [])),
        example: "sneaky_fan: {}", failureReason: "fan_failure", waits: true)

    init(_ settings: Bool, _ setup: StageSetup) {}

    func process(_ event: inout Event) throws -> Verdict { .wait }

    func complete(_ events: WaitingEvents) async throws {
        for position in 0..<events.count { events.expand(at: position, into: 2) { _, _ in } }
    }
}

/// Uses the store `s` and does nothing with it.
final class KeepStage: Stage {
    static let declaration = StageDeclaration(
        name: "keep", summary: "Uses a store.", settings: SettingType<Bool>.object(SettingsSchema(true, [])),
        example: "keep: {}", failureReason: "keep_failure")

    init(_ settings: Bool, _ setup: StageSetup) {
        _ = setup.store(LocatedName("s", at: setup.position))
    }

    func process(_ event: inout Event) throws -> Verdict { .next }
}

/// The decision of a judging stage on an event: a function of the stage and the event's id alone, so that a test can
/// compute the outcome of an event without running a stage.
enum Judgement: Sendable {
    case passes, skips, fails

    init(_ stage: Int, _ event: EventID) {
        let element = UInt64(event.element.map { $0 + 1 } ?? 0)
        var random = SplitMix64(state: UInt64(stage) &* 0x9E37 &+ event.entry.milliseconds &* 1009 &+ element)
        self = [.passes, .passes, .passes, .passes, .skips, .fails][Int(random.next() % 6)]
    }
}

/// Logs each event, and passes, skips or fails it as `Judgement` says; fails the first `times` times on the event `on`.
final class JudgeStage: Stage {
    struct Settings: Sendable {
        var number = 0
        var waits = false
        var on = ""
        var times = 0

        static let type = SettingType.object(
            SettingsSchema(
                Settings(),
                [
                    .optional("number", \.number, .integer(), "The stage's number; 0 passes all events."),
                    .optional("waits", \.waits, .boolean, "Whether events wait."),
                    .optional("on", \.on, .text, "An event that fails at first."),
                    .optional("times", \.times, .integer(), "How often."),
                ]))
    }

    static let declaration = StageDeclaration(
        name: "judge", summary: "Decides.", settings: Settings.type, example: "judge: {}",
        failureReason: "judge_failure", waits: true)

    private let settings: Settings
    private let logger: Logger
    private let reason: ReasonID
    private let effect: EffectID
    private var left: Int

    init(_ settings: Settings, _ setup: StageSetup) {
        self.settings = settings
        self.logger = setup.logger
        self.reason = setup.reason("judged")
        self.effect = setup.effect("judge")
        self.left = settings.times
        if !settings.waits { setup.neverWaits() }
    }

    private func judge(_ event: inout Event) throws(StageFailure) -> Judgement {
        self.logger.info("\(self.settings.number) \(event.eventID)")
        if self.settings.on == event.eventID.description, self.left > 0 {
            self.left -= 1
            throw StageFailure("judge: not yet")
        }
        let judgement = self.settings.number == 0 ? .passes : Judgement(self.settings.number, event.eventID)
        if judgement == .fails { throw StageFailure("judge: fails") }
        event.record(self.effect)
        return judgement
    }

    func process(_ event: inout Event) throws -> Verdict {
        if self.settings.waits { return .wait }
        return try self.judge(&event) == .skips ? .finish(.skipped, self.reason) : .next
    }

    func complete(_ events: WaitingEvents) async throws {
        for position in 0..<events.count {
            do throws(StageFailure) {
                let judgement = try events.withEvent(at: position) { (event) throws(StageFailure) in
                    try self.judge(&event)
                }
                if judgement == .skips { events.finish(at: position, .skipped, self.reason) }
            } catch {
                events.fail(at: position, error)
            }
        }
    }
}

extension Event {
    /// The text of the entry's first field with a name.
    fileprivate func raw(_ name: String) -> String? {
        for position in 0..<self.rawFieldCount where self.text(self.rawField(at: position).name) == name {
            return self.text(self.rawField(at: position).value)
        }
        return nil
    }
}

/// The outcomes of all events in order, by the events' own ids.
final class ElementResults: Sendable {
    typealias Line = (id: EventID, record: EventResult)

    private let lines = OrderedMutex<[Line]>([])

    var all: [Line] { self.lines.withLock { $0 } }

    /// The events' ids with their outcomes.
    var text: [String] { self.all.map { "\($0.id) \($0.record.outcome.name)" } }

    final class Observer: OutcomeObserver {
        let records: ElementResults

        init(_ records: ElementResults) {
            self.records = records
        }

        func observe(_ event: borrowing Event, _ record: EventResult) {
            let id = event.eventID
            self.records.lines.withLock { $0.append((id, record)) }
        }

        func endBatch() async throws {}
    }
}
