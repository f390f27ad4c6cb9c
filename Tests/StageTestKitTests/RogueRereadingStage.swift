import StageKit

/// The ways in which a stage can let a store decide what happens to an entry that is read again.
enum RereadingMisdeed: String, CaseIterable {
    case none
    case ends
    case fails
    case revokesOnce
}

/// A stage that holds an event in the store `held` and revokes its key; its settings say what it does if the store holds
/// the entry already, or something newer.
final class RogueRereadingStage: Stage {
    static let declaration = StageDeclaration(
        name: "rogue_rereading", summary: "Does what it should not with an entry that is read again.",
        settings: SettingType<RereadingMisdeed>.object(
            SettingsSchema(
                .none,
                [
                    .optional(
                        "misdeed", \.self, .choice(of: RereadingMisdeed.allCases.map { ($0.rawValue, $0) }),
                        "What it does.")
                ])),
        example: "rogue_rereading: {}", failureReason: "rogue_failure")

    private let misdeed: RereadingMisdeed
    private let key: FieldID
    private let handler: (any RevocationHandler)?
    private let writer: (any SnapshotWriter)?

    init(_ settings: RereadingMisdeed, _ setup: StageSetup) {
        self.misdeed = settings
        let position = SettingPosition(line: 1, column: 1)
        self.key = setup.input(LocatedName("id", at: position))
        self.handler = setup.revocationHandler
        self.writer = setup.store(LocatedName("held", at: position))?.makeWriter(key: self.key, fields: [])
    }

    func process(_ event: inout Event) throws -> Verdict {
        guard event.range(of: self.key) != nil else { throw StageFailure("no id") }
        let isApplied = try self.writer?.upsert(event) == .applied
        if !isApplied {
            switch self.misdeed {
            case .none: break
            case .ends: return .finish(.skipped, .none)
            case .fails: throw StageFailure("held already")
            case .revokesOnce: return .next
            }
        }
        self.handler?.revoke(event, key: self.key)
        return .next
    }
}
