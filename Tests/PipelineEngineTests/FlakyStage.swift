import Logging
import StageKit

/// Fails the first times it is tried on one event, at once or where the event waits.
struct FlakySettings: Sendable {
    var on = ""
    var times = 0

    static let type = SettingType.object(
        SettingsSchema(
            FlakySettings(),
            [
                .optional("on", \.on, .text, "The event."),
                .optional("times", \.times, .integer(), "How many attempts fail."),
            ]))
}

/// Fails at once.
final class FlakyStage: Stage {
    static let declaration = StageDeclaration(
        name: "flaky", summary: "Fails at first.", settings: FlakySettings.type, example: "flaky: {}",
        failureReason: "flaky_failure")

    private let settings: FlakySettings
    private let effect: EffectID
    private let logger: Logger
    private var left: Int

    init(_ settings: FlakySettings, _ setup: StageSetup) {
        self.settings = settings
        self.effect = setup.effect("flaky")
        self.logger = setup.logger
        self.left = settings.times
    }

    func process(_ event: inout Event) throws -> Verdict {
        self.logger.info("process \(event.id)")
        if event.id.description == self.settings.on, self.left > 0 {
            self.left -= 1
            throw StageFailure("flaky: not yet")
        }
        event.record(self.effect)
        return .next
    }
}

/// Fails on what has waited.
final class WaitingFlakyStage: Stage {
    static let declaration = StageDeclaration(
        name: "waiting_flaky", summary: "Fails at first.", settings: FlakySettings.type, example: "waiting_flaky: {}",
        failureReason: "flaky_failure", waits: true)

    private let flaky: FlakyStage
    private let logger: Logger

    init(_ settings: FlakySettings, _ setup: StageSetup) {
        self.flaky = FlakyStage(settings, setup)
        self.logger = setup.logger
    }

    func process(_ event: inout Event) -> Verdict { .wait }

    func complete(_ events: WaitingEvents) async throws {
        self.logger.info("complete \(events.count)")
        for position in 0..<events.count {
            do {
                _ = try events.withEvent(at: position) { event in try self.flaky.process(&event) }
            } catch {
                events.fail(at: position, error as? StageFailure ?? StageFailure("\(error)"))
            }
        }
    }
}

/// Stands for the stage that puts failed events aside; its effect is the stream of its settings.
final class DeadLetterProbe: Stage {
    struct Settings: Sendable {
        var stream = "dead"
    }

    static let declaration = StageDeclaration(
        name: "dead_letter", summary: "Puts events aside.",
        settings: .object(SettingsSchema(Settings(), [.optional("stream", \.stream, .nonBlankText, "Where to.")])),
        example: "dead_letter: {}", failureReason: "dead_letter_failure", exits: { _ in StageExits(goesOn: false) })

    private let effect: EffectID

    init(_ settings: Settings, _ setup: StageSetup) {
        self.effect = setup.effect(settings.stream)
    }

    func process(_ event: inout Event) -> Verdict {
        event.record(self.effect)
        return .finish(.deadLettered, .none)
    }
}
