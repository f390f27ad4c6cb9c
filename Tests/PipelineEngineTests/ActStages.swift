import Logging
import StageKit
import StageTestKit

/// What a stage of these tests does with an event: a function of the stage's number and the entry's id alone, so that a
/// model of the graph can tell it without running a stage.
struct Act: Sendable {
    /// How many attempts fail before one does not.
    let failures: Int
    /// Whether the event's way ends then.
    let finishes: Bool
    /// Whether a stage that can wait does so first.
    let waits: Bool

    init(stage: Int, entry: EntryID) {
        var random = SplitMix64(state: UInt64(stage) &* 0x9E37 &+ entry.milliseconds)
        self.failures = [0, 0, 0, 0, 0, 1, 2, .max][Int(random.next() % 8)]
        self.finishes = random.next() % 8 == 0
        self.waits = random.next() % 4 != 0
    }
}

/// Settings of the stages that act.
struct ActSettings: Sendable {
    var number = 0
    var evicts = false

    static let type = SettingType.object(
        SettingsSchema(
            ActSettings(),
            [
                .required("number", \.number, .integer(), "What its acts depend on."),
                .optional("evicts", \.evicts, .boolean, "Whether it takes out of the store `s` or puts in."),
            ]))
}

/// Logs each event it is given, and does what `Act` says; an event that goes on changes the store `s`.
final class Actor {
    private let number: Int
    private let evicts: Bool
    private let name: String
    private let setup: (effect: EffectID, reason: ReasonID)
    private let writer: (any SnapshotWriter)?
    private let log: (String, EntryID) -> Void
    private var attempts: [EntryID: Int] = [:]

    init(_ settings: ActSettings, _ setup: StageSetup) {
        self.number = settings.number
        self.evicts = settings.evicts
        self.name = setup.stage
        self.setup = (setup.effect(setup.stage), setup.reason("enough"))
        let position = setup.position
        let key = setup.input(LocatedName("key", at: position))
        self.writer = setup.store(LocatedName("s", at: position))?.makeWriter(key: key, fields: [("key", key)])
        let logger = setup.logger
        self.log = { what, id in logger.info("\(what)", metadata: ["entry": "\(id)"]) }
    }

    func see(_ event: borrowing Event, _ what: String = "process") -> Act {
        self.log("\(self.name) \(what)", event.id)
        return Act(stage: self.number, entry: event.id)
    }

    func act(_ act: Act, on event: inout Event) throws -> Verdict {
        self.attempts[event.id, default: 0] += 1
        if self.attempts[event.id, default: 0] <= act.failures { throw StageFailure("\(self.name) fails") }
        if act.finishes { return .finish(.skipped, self.setup.reason) }
        _ = self.evicts ? try self.writer?.evict(event) : try self.writer?.upsert(event)
        event.record(self.setup.effect)
        return .next
    }
}

/// Acts at once.
final class ActStage: Stage {
    static let declaration = StageDeclaration(
        name: "act", summary: "Acts.", settings: ActSettings.type, example: "act: { number: 1 }",
        failureReason: "act_failure")

    private let actor: Actor

    init(_ settings: ActSettings, _ setup: StageSetup) {
        self.actor = Actor(settings, setup)
    }

    func process(_ event: inout Event) throws -> Verdict {
        try self.actor.act(self.actor.see(event), on: &event)
    }
}

/// Acts at once on some events and has the others wait.
final class WaitingActStage: Stage {
    static let declaration = StageDeclaration(
        name: "waiting_act", summary: "Acts, later.", settings: ActSettings.type,
        example: "waiting_act: { number: 1 }", failureReason: "act_failure", waits: true)

    private let actor: Actor

    init(_ settings: ActSettings, _ setup: StageSetup) {
        self.actor = Actor(settings, setup)
    }

    func process(_ event: inout Event) throws -> Verdict {
        let act = self.actor.see(event)
        return act.waits ? .wait : try self.actor.act(act, on: &event)
    }

    func complete(_ events: WaitingEvents) async throws {
        for position in 0..<events.count {
            await Task.yield()
            do {
                let verdict = try events.withEvent(at: position) { event in
                    try self.actor.act(self.actor.see(event, "complete"), on: &event)
                }
                if case .finish(let outcome, let reason) = verdict { events.finish(at: position, outcome, reason) }
            } catch {
                events.fail(at: position, error as? StageFailure ?? StageFailure("\(error)"))
            }
        }
    }
}

/// Sends the events with some keys to a branch.
final class SplitStage: Stage {
    struct Settings: Sendable {
        var keys: [String] = []
        var to = LocatedName.unread
        var otherwise: LocatedName?
    }

    static let declaration = StageDeclaration(
        name: "split", summary: "Sends events to a branch.",
        settings: .object(
            SettingsSchema(
                Settings(),
                [
                    .required("keys", \.keys, .list(of: .text), "The keys."),
                    .required("to", \.to, .name, "The branch."),
                    .optional("default", \.otherwise, .optional(.name), "The branch of all others."),
                ])),
        example: "split: { keys: [a], to: b }", failureReason: "split_failure",
        exits: { settings in
            StageExits(
                branches: [settings.to] + (settings.otherwise.map { [$0] } ?? []), goesOn: settings.otherwise == nil)
        })

    private let keys: [[UInt8]]
    private let key: FieldID
    private let verdicts: (listed: Verdict, other: Verdict)

    init(_ settings: Settings, _ setup: StageSetup) {
        self.keys = settings.keys.map { Array($0.utf8) }
        self.key = setup.input(LocatedName("key", at: setup.position))
        let other = settings.otherwise.map { Verdict.branch(setup.branch($0)) }
        self.verdicts = (.branch(setup.branch(settings.to)), other ?? .next)
    }

    func process(_ event: inout Event) -> Verdict {
        for key in self.keys where event.value(of: self.key, equals: key) { return self.verdicts.listed }
        return self.verdicts.other
    }
}
