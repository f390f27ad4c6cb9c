import StageKit

/// The settings under `route`.
public struct RouteSettings: Sendable {
    /// A condition and the target of events that meet it.
    struct Case: Sendable {
        /// The condition.
        var when = ConditionSettings.unread
        /// A branch, or `next`.
        var to = LocatedName.unread
    }

    /// The target that means the next stage.
    static let next = "next"
    /// The maximum number of cases: each one is tested for every event that no earlier case matched.
    static let caseLimit = 100

    /// The cases, tested in order; the first condition that holds decides.
    var cases: [Case] = []
    /// The target of all other events: a branch, or `next`.
    var otherwise: LocatedName?

    /// The branches that the stage leads to, and whether it leads to the next stage.
    var exits: StageExits {
        let cases = self.cases.map { (to: $0.to, words: $0.when.text) }
        let targets = cases + (self.otherwise.map { [($0, "default")] } ?? [])
        let branches = targets.filter { $0.to.text != Self.next }
        return StageExits(
            branches: branches.map(\.to), words: branches.map(\.words),
            goesOn: self.otherwise == nil || branches.count < targets.count)
    }

    /// The settings' names and types in the file.
    static let type = SettingType.object(
        SettingsSchema(
            RouteSettings(),
            [
                .required(
                    "cases", \.cases, cases,
                    "Cases, tested in order: the first one whose condition the event meets applies."),
                .optional(
                    "default", \.otherwise, .optional(.name), default: next,
                    "Target of all other events: a branch, or next for the next stage."),
            ]))

    private static let cases = SettingType<[Case]>.list(of: oneCase, minimum: 1).map {
        (cases) throws(SettingRefusal) in
        guard cases.count <= Self.caseLimit else {
            throw SettingRefusal("too many cases: \(cases.count), the maximum is \(Self.caseLimit)")
        }
        return cases
    }

    private static let oneCase = SettingType.object(
        SettingsSchema(
            Case(),
            [
                .required("when", \.when, .condition, "Condition, as for a stage's when."),
                .required("to", \.to, .name, "Target of the event: a branch, or next for the next stage."),
            ]))
}
