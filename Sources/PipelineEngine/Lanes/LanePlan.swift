import StageKit

/// Assigns each event of a batch to a lane; events with the same key get the same lane. Pure.
///
/// An event's key is the value of a field of its entry, byte for byte; if a name is repeated, the last value counts, as
/// in `decode`. Events without the field share the first lane and keep their order.
struct LanePlan {
    /// The number of lanes.
    let count: Int
    private let key: [UInt8]

    /// Creates a plan for this number of lanes.
    init(_ settings: LaneSettings) {
        self.count = settings.count
        self.key = Array(settings.key.utf8)
    }

    /// Returns the lane of an event.
    func lane(of event: borrowing Event) -> Int {
        for position in (0..<event.rawFieldCount).reversed() {
            let field = event.rawField(at: position)
            guard field.name.length == self.key.count,
                unsafe event.unsafeBytes(field.name).elementsEqual(self.key)
            else { continue }
            return event.withBytes(field.value) { Self.lane(of: $0, among: self.count) }
        }
        return 0
    }

    /// Returns the lane of a key: FNV-1a with its upper half folded into the lower one, whose bits alone are poorly
    /// distributed.
    static func lane(of key: Span<UInt8>, among count: Int) -> Int {
        var hash = FNV1a()
        hash.combine(key)
        return Int((hash.value ^ (hash.value >> 32)) % UInt64(count))
    }
}
