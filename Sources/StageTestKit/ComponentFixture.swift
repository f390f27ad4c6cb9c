import ComponentKit
import StageKit

/// Settings that were refused.
struct ComponentRefused: Error, CustomStringConvertible {
    /// The reasons.
    var description: String
}

extension ComponentSetup {
    /// Creates a setup for a component in a test: log and metrics are recorded and discarded.
    static func fixture(_ name: String) -> ComponentSetup {
        ComponentSetup(
            name: name, position: SettingPosition(line: 1, column: 1),
            logger: RecordingLog().logger(label: "test.\(name)"),
            metrics: RecordingMetrics(), sections: [:])
    }

    /// Returns what `make` has created; throws the reasons if it has created nothing.
    func made<Component>(_ component: Component?) throws -> Component {
        if let component, self.issues.all.isEmpty { return component }
        let reasons = self.issues.all.map(\.message)
        throw ComponentRefused(description: reasons.isEmpty ? "no reason is given" : reasons.joined(separator: "; "))
    }
}
