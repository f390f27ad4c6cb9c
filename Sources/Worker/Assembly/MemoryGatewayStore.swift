package import ComponentKit
package import Gateway
import SnapshotStores
import StageKit

/// A memory store behind the gateway's doors.
package struct MemoryGatewayStore: GatewayStore {
    private let store: MemoryStore
    private let condition: SnapshotCondition
    private let fields: [SnapshotField]

    /// Resolves the names of a checked section.
    ///
    /// - Parameters:
    ///   - settings: The section.
    ///   - door: The door, whose headers have values of fields.
    ///   - stores: The stores of the pipeline.
    /// - Returns: `nil` if the section does not fit the store.
    package init?(_ settings: GatewaySettings, door: HTTPDoorSettings, stores: [String: any SnapshotStore]) {
        guard let store = stores[settings.store.text] as? MemoryStore else { return nil }
        let condition: SnapshotCondition? =
            switch settings.allow {
            case .named(let name): store.condition(named: name.text)
            case .condition(let condition): store.condition(condition)
            case nil: nil
            }
        guard let condition else { return nil }
        self.store = store
        self.condition = condition
        self.fields = door.headers.map { store.field($0.value.text) }
    }

    /// Decides about a session; the condition and the values are those of the same snapshot.
    package func decide(_ key: Span<UInt8>, _ values: inout GatewayValues) -> GatewayDecision {
        let answer: SnapshotAnswer
        if self.fields.isEmpty {
            answer = self.store.ask(key, self.condition)
        } else {
            answer = self.store.ask(key, self.condition) { snapshot in
                for field in self.fields { snapshot.withValue(of: field) { values.add($0) } }
            }
        }
        return switch answer {
        case .yes: .allowed
        case .no: .refused
        case .absent: .absent
        case .stale: .stale
        }
    }
}
