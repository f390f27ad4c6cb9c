/// Bounds the number of different targets, such as streams, that a stage derives from events.
///
/// A target that was accepted once is accepted until the stage is created again, at a restart or a reload.
public struct TargetLimit: Sendable {
    /// The maximum number of different targets.
    public let limit: Int
    private var known: Set<[UInt8]> = []

    /// Creates a limit.
    public init(_ limit: Int) {
        self.limit = limit
    }

    /// Accepts a target unless it is a new one beyond the limit.
    ///
    /// - Returns: Whether the target is accepted. Otherwise nothing changes.
    public mutating func accept(_ target: [UInt8]) -> Bool {
        if self.known.contains(target) { return true }
        guard self.known.count < self.limit else { return false }
        self.known.insert(target)
        return true
    }
}
