import StageKit

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
        example: "rogue: { misdeed: none }", failureReason: "rogue_failure", isPure: true)

    private let misdeed: Misdeed
    private let field: FieldID
    private let effect: EffectID
    private let handler: (any RevocationHandler)?
    private var calls = 0

    init(_ settings: Settings, _ setup: StageSetup) {
        self.misdeed = settings.misdeed
        self.field = setup.output("out")
        self.effect = setup.effect("rogue")
        self.handler = setup.revocationHandler
        if settings.misdeed == .revokesWhenMade {
            let batch = EventBatch()
            batch.appendEntry(.zero)
            batch.prepareSlots(fieldCount: 1)
            batch.withEvent(at: 0) { event in setup.revocationHandler?.revoke(event, key: self.field) }
        }
    }

    func process(_ event: inout Event) throws -> Verdict {
        self.calls += 1
        let fails = event.rawFieldCount == 0
        switch self.misdeed {
        case .effectOnFailure where fails, .recordsThoughPure: event.record(self.effect)
        case .settlesOnFailure where fails, .settlesThoughPure: event.settle(.skipped, .none)
        case .revokesOnFailure where fails, .revokesThoughPure: self.handler?.revoke(event, key: self.field)
        case .silentFailure where fails: throw StageFailure("")
        case .changesItsMind where self.calls % 2 == 0: return .finish(.skipped, .none)
        case .refusesEverything: throw StageFailure("no")
        default: break
        }
        if fails { throw StageFailure("nothing there") }
        return .next
    }

    func endBatch() async throws {
        if self.misdeed == .failsAtTheEnd { throw StageFailure("the end") }
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
