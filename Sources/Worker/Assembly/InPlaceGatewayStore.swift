package import ComponentKit
package import Gateway
import StageKit

/// A store in this process behind the gateway's HTTP and gRPC doors.
package struct InPlaceGatewayStore: GatewayStore {
    private let freshness: Freshness
    private let probe: any SnapshotProbe

    /// Resolves the names of a checked section.
    ///
    /// - Parameters:
    ///   - settings: The section.
    ///   - door: The door, whose headers have values of fields.
    ///   - stores: The stores of the pipeline.
    /// - Returns: `nil` if the section does not fit the store, or if the store does not track its freshness.
    package init?(_ settings: GatewaySettings, door: HTTPDoorSettings, stores: [String: any SnapshotStore]) {
        guard let store = stores[settings.store.text]?.inPlace, let freshness = store.freshness else { return nil }
        let fields = door.headers.map(\.value.text)
        let probe: (any SnapshotProbe)? =
            switch settings.allow {
            case .named(let name): store.makeProbe(named: name.text, fields: fields)
            case .condition(let condition): store.makeProbe(condition, fields: fields)
            case nil: nil
            }
        guard let probe else { return nil }
        self.freshness = freshness
        self.probe = probe
    }

    /// Decides about a session; the condition and the values are those of the same snapshot.
    package func decide(_ key: Span<UInt8>, _ values: inout GatewayValues) -> GatewayDecision {
        self.freshness.decide { self.probe.check(key) { values.add($0) } }
    }
}

extension Freshness {
    /// Decides by a lookup that is made between two checks of the freshness: a suspension of the process between the
    /// lookup and its use is detected.
    func decide(_ lookup: () -> Bool?) -> GatewayDecision {
        let fills = self.fills
        if self.isBeingFilled { return .stale }
        let answer = lookup()
        if self.isStale || self.fills != fills { return .stale }
        return switch answer {
        case .some(true): .allowed
        case .some(false): .refused
        case .none: .absent
        }
    }
}
