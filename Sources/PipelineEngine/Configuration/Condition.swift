import StageKit

/// `when`: field names with the values they must have; all of them must hold.
struct ConditionSettings: Sendable {
    /// The fields with the values each may have.
    var tests: [NamedSetting<[String]>]

    /// How it is read: `{ status: revoked }` or `{ status: [active, revoked] }`.
    static let type = SettingType<[NamedSetting<[String]>]>
        .map(of: .list(of: .text, orSingle: true, minimum: 1), minimum: 1)
        .map { (tests) throws(SettingRefusal) in ConditionSettings(tests: tests) }

    /// The condition with its field names resolved.
    func resolve(_ setup: StageSetup) -> Condition {
        Condition(
            tests: self.tests.map { test in
                (setup.input(MarkedName(test.name, at: test.mark)), test.value.map { Array($0.utf8) })
            })
    }
}

/// A condition on an event's values, ready to be asked.
struct Condition {
    /// The fields with the byte strings each may have.
    let tests: [(field: FieldID, values: [[UInt8]])]

    /// Whether each field has one of its values; a field the event does not have does not hold.
    func holds(for event: borrowing Event) -> Bool {
        for test in self.tests {
            var found = false
            for value in test.values where event.value(of: test.field, equals: value) {
                found = true
                break
            }
            if !found { return false }
        }
        return true
    }
}
