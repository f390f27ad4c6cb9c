import StageKit

/// What the file says under `route`.
public struct RouteSettings: Sendable {
    /// A condition and where events go that meet it.
    struct Case: Sendable {
        /// The condition.
        var when = ConditionSettings.unread
        /// A branch, or `next`.
        var to = MarkedName.unread
    }

    /// The word for the next stage.
    static let next = "next"
    /// The most cases: each is asked of every event that no case before it has taken.
    static let caseLimit = 100

    /// Asked in order; the first that holds takes the event.
    var cases: [Case] = []
    /// Where all others go: a branch, or `next`.
    var otherwise: MarkedName?

    /// The branches it leads to, and whether it leads to the next stage.
    var exits: StageExits {
        let cases = self.cases.map { (to: $0.to, words: $0.when.text) }
        let targets = cases + (self.otherwise.map { [($0, "default")] } ?? [])
        let branches = targets.filter { $0.to.text != Self.next }
        return StageExits(
            branches: branches.map(\.to), words: branches.map(\.words),
            goesOn: self.otherwise == nil || branches.count < targets.count)
    }

    /// How it is read.
    static let type = SettingType.object(
        SettingsSchema(
            RouteSettings(),
            [
                .required(
                    "cases", \.cases, cases,
                    "Asked in order: the first whose condition the event meets says where it goes."),
                .optional(
                    "default", \.otherwise, .optional(.name), default: next,
                    "The branch that all other events go to, or next for the next stage."),
            ]))

    private static let cases = SettingType<[Case]>.list(of: oneCase, minimum: 1).map {
        (cases) throws(SettingRefusal) in
        guard cases.count <= Self.caseLimit else {
            throw SettingRefusal("\(cases.count) cases are too many: there may be \(Self.caseLimit)")
        }
        return cases
    }

    private static let oneCase = SettingType.object(
        SettingsSchema(
            Case(),
            [
                .required("when", \.when, .condition, "What the event must meet, as a stage's own when has it."),
                .required("to", \.to, .name, "The branch it goes to, or next for the next stage."),
            ]))
}
