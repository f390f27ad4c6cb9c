/// A condition on an event's values as the file has it, in `when` and wherever else a stage asks one.
public struct ConditionSettings: Sendable {
    /// The fields with the values each may have.
    var tests: [NamedSetting<[String]>]

    /// The condition in one line: `status: revoked, region: [eu, us]`.
    package var text: String {
        self.tests.map { test in
            let values = test.value.joined(separator: ", ")
            return "\(test.name): \(test.value.count == 1 ? values : "[\(values)]")"
        }.joined(separator: ", ")
    }

    /// The condition with its field names resolved; a field that no earlier stage provides is a mistake.
    public func resolve(_ setup: StageSetup) -> Condition {
        Condition(
            tests: self.tests.map { test in
                (setup.input(MarkedName(test.name, at: test.mark)), test.value.map { Array($0.utf8) })
            })
    }
}

extension SettingType where Value == ConditionSettings {
    /// Field names with the values they must have, all of which must hold: `{ status: revoked }`, or
    /// `{ status: [active, revoked] }` for one of several.
    public static var condition: SettingType<ConditionSettings> {
        SettingType<[NamedSetting<[String]>]>
            .map(of: .list(of: .text, orSingle: true, minimum: 1), minimum: 1)
            .map { (tests) throws(SettingRefusal) in ConditionSettings(tests: tests) }
    }
}

/// A condition on an event's values, ready to be asked.
public struct Condition {
    /// The fields with the byte strings each may have.
    @usableFromInline let tests: [(field: FieldID, values: [[UInt8]])]

    init(tests: [(field: FieldID, values: [[UInt8]])]) {
        self.tests = tests
    }

    /// Whether each field has one of its values; a field the event does not have does not hold.
    @inlinable
    public func holds(for event: borrowing Event) -> Bool {
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
