public import StageKit

/// Sends events to branches by their values.
public final class RouteStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "route", summary: "Sends events to branches by their values.", settings: RouteSettings.type,
        example: """
            route:
              cases:
                - { when: { status: closed }, to: closed }
                - { when: { amount: { at_least: 1000 } }, to: large }
              default: next
            """,
        failureReason: "route_failure", isPure: true, exits: { $0.exits })

    private let cases: [(when: Condition, verdict: Verdict)]
    private let otherwise: Verdict

    /// Resolves fields and branches.
    public init(_ settings: RouteSettings, _ setup: StageSetup) {
        func verdict(_ target: LocatedName) -> Verdict {
            target.text == RouteSettings.next ? .next : .branch(setup.branch(target))
        }
        self.cases = settings.cases.map { ($0.when.resolve(setup), verdict($0.to)) }
        self.otherwise = settings.otherwise.map(verdict) ?? .next
    }

    /// Returns the event's target; fails if an expression fails.
    public func process(_ event: inout Event) throws -> Verdict {
        for route in self.cases {
            if try route.when.holds(for: event) { return route.verdict }
        }
        return self.otherwise
    }
}
