import StageKit
import Synchronization

/// What a stage can do against the contract, one at a time.
enum Misdeed: String, CaseIterable {
    case none
    case revokesWhenMade
    case effectOnFailure
    case settlesOnFailure
    case revokesOnFailure
    case silentFailure
    case recordsThoughPure
    case settlesThoughPure
    case revokesThoughPure
    case changesItsMind
    case failsAtTheEnd
    case failsWithoutEvents
    case revokesWithoutEvents
    case remembersFailures
    case sharesWhatItCounts
    case countsWithinABatch
    case changesWhenPrepared
    case namesAtRandom
    case reasonFromTheEvent
    case waitsUndeclared
    case refusesEverything
}

/// A stage that is declared well and does what its settings say.
final class RogueStage: Stage {
    struct Settings: Sendable {
        var misdeed = Misdeed.none
    }

    static let declaration = StageDeclaration(
        name: "rogue", summary: "Does what it should not.",
        settings: .object(
            SettingsSchema(
                Settings(),
                [
                    .optional(
                        "misdeed", \.misdeed, .choice(of: Misdeed.allCases.map { ($0.rawValue, $0) }), "What it does.")
                ])),
        example: "rogue: { misdeed: none }", failureReason: "rogue_failure", isPure: true, preparesEvents: true)

    /// Something that all instances change.
    private static let shared = Mutex(0)

    private let misdeed: Misdeed
    private let field: FieldID
    private let effect: EffectID
    private let handler: (any RevocationHandler)?
    private var calls = 0
    private var failures = 0
    private var inBatch = 0
    private var prepared = 0

    init(_ settings: Settings, _ setup: StageSetup) {
        self.misdeed = settings.misdeed
        self.field = setup.output("out")
        if settings.misdeed == .namesAtRandom { _ = setup.output("out-\(Self.next())") }
        self.effect = setup.effect("rogue")
        self.handler = setup.revocationHandler
        if settings.misdeed == .revokesWhenMade { self.revokeNothing() }
    }

    private func revokeNothing() {
        let batch = EventBatch()
        batch.appendEntry(.zero)
        batch.prepareCells(fieldCount: 1)
        batch.withEvent(at: 0) { event in self.handler?.revoke(event, key: self.field) }
    }

    private static func next() -> Int {
        self.shared.withLock { count in
            count += 1
            return count
        }
    }

    func prepare(_ event: borrowing Event) {
        self.prepared += 1
    }

    func process(_ event: inout Event) throws -> Verdict {
        self.calls += 1
        self.inBatch += 1
        let fails = event.rawFieldCount == 0
        if fails { self.failures += 1 }
        switch self.misdeed {
        case .effectOnFailure where fails, .recordsThoughPure: event.record(self.effect)
        case .settlesOnFailure where fails, .settlesThoughPure: event.settle(.skipped, .none)
        case .revokesOnFailure where fails, .revokesThoughPure: self.handler?.revoke(event, key: self.field)
        case .silentFailure where fails: throw StageFailure("")
        case .changesItsMind where self.calls % 2 == 0: return .finish(.skipped, .none)
        case .remembersFailures where !fails && self.failures > 0: return .finish(.skipped, .none)
        case .sharesWhatItCounts: event.set(self.field, copying: Array("\(Self.next())".utf8))
        case .countsWithinABatch where self.inBatch > 1: return .finish(.skipped, .none)
        case .changesWhenPrepared where self.prepared > 0: event.set(self.field, copying: [1])
        case .reasonFromTheEvent where fails: throw StageFailure("no fields", reason: "no fields at \(event.id)")
        case .waitsUndeclared where !fails: return .wait
        case .refusesEverything: throw StageFailure("no")
        default: break
        }
        if fails { throw StageFailure("nothing there") }
        return .next
    }

    func endBatch() async throws {
        if self.misdeed == .failsAtTheEnd, self.calls > 0 { throw StageFailure("the end") }
        if self.misdeed == .failsWithoutEvents, self.inBatch == 0 { throw StageFailure("nothing to end") }
        if self.misdeed == .revokesWithoutEvents, self.inBatch == 0 { self.revokeNothing() }
        self.inBatch = 0
    }
}

/// A stage that works and is declared badly.
final class BadlyDeclaredStage: Stage {
    static let declaration = StageDeclaration(
        name: "Badly-Declared", summary: "does things. And more",
        settings: SettingType<Bool>(shape: .boolean) { _, _ in true },
        example: "", failureReason: "Failure")

    init(_ settings: Bool, _ setup: StageSetup) {}

    func process(_ event: inout Event) throws -> Verdict { .next }
}

/// What a stage that waits can do against the contract.
enum WaitingMisdeed: String, CaseIterable {
    case none
    case throwsForOne
    case failsWithoutWords
    case revokesForTheFailed
    case forgetsTheEarlier
    case expandsUndeclared
}

/// A stage that waits with every event, fails those without fields and does what its settings say.
final class RogueWaitingStage: Stage {
    static let declaration = StageDeclaration(
        name: "rogue_waiting", summary: "Does what it should not when it has waited.",
        settings: SettingType<WaitingMisdeed>.object(
            SettingsSchema(
                .none,
                [
                    .optional(
                        "misdeed", \.self, .choice(of: WaitingMisdeed.allCases.map { ($0.rawValue, $0) }),
                        "What it does.")
                ])),
        example: "rogue_waiting: {}", failureReason: "rogue_failure", waits: true)

    private let misdeed: WaitingMisdeed
    private let field: FieldID
    private let handler: (any RevocationHandler)?

    init(_ settings: WaitingMisdeed, _ setup: StageSetup) {
        self.misdeed = settings
        self.field = setup.output("out")
        self.handler = setup.revocationHandler
    }

    func process(_ event: inout Event) throws -> Verdict { .wait }

    func complete(_ events: WaitingEvents) async throws {
        for position in 0..<events.count {
            let fails = events.withEvent(at: position) { $0.rawFieldCount == 0 }
            guard fails else {
                if self.misdeed == .forgetsTheEarlier, position + 1 < events.count { continue }
                if self.misdeed == .expandsUndeclared { events.expand(at: position, into: 2) { _, _ in } }
                events.withEvent(at: position) { $0.set(self.field, copying: [1]) }
                continue
            }
            if self.misdeed == .throwsForOne { throw StageFailure("no fields") }
            if self.misdeed == .revokesForTheFailed {
                events.withEvent(at: position) { self.handler?.revoke($0, key: self.field) }
            }
            events.fail(at: position, StageFailure(self.misdeed == .failsWithoutWords ? "" : "no fields"))
        }
    }
}
