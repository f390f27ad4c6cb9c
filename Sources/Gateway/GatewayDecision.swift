/// What a gateway is told about a session, and why.
public enum GatewayDecision: Int, Sendable, CaseIterable {
    /// The store holds a snapshot under the key, and it meets the condition.
    case allowed
    /// The request names no session, or more than one.
    case missing
    /// The store holds no snapshot under the key.
    case absent
    /// The snapshot does not meet the condition, or has a value that cannot be passed on in a header.
    case refused
    /// The store must not answer: its freshness is not confirmed, or it is being filled.
    case stale

    /// The name in `X-Sluice-Decision`, in metrics and in the pipeline file.
    public var name: String { "\(self)" }
}

/// The store behind the gateway's doors.
public protocol GatewayStore: Sendable {
    /// Decides about a session. Called from any thread; must not block.
    ///
    /// - Parameters:
    ///   - key: The session's key.
    ///   - values: Receives the value of each configured field, in order, if the decision is `allowed`.
    /// - Returns: The decision; never `missing`.
    func decide(_ key: Span<UInt8>, _ values: inout GatewayValues) -> GatewayDecision
}

/// The values of a session's fields, in the order of the configured headers.
public struct GatewayValues: ~Copyable {
    /// The values, one after the other.
    private(set) var bytes: [UInt8] = []
    /// The end of each value in `bytes`.
    private(set) var ends: [Int] = []

    /// Creates an empty collection.
    public init() {}

    /// Adds the next field's value; `nil` if the session has none.
    public mutating func add(_ value: Span<UInt8>?) {
        if let value {
            // The pointer is used during the call only.
            unsafe value.withUnsafeBufferPointer { unsafe self.bytes.append(contentsOf: $0) }
        }
        self.ends.append(self.bytes.count)
    }

    /// Removes all values; memory is kept for the next request.
    mutating func removeAll() {
        self.bytes.removeAll(keepingCapacity: true)
        self.ends.removeAll(keepingCapacity: true)
    }

    /// The range of a value in `bytes`.
    func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : self.ends[index - 1])..<self.ends[index] }

    /// Whether all values can stand in headers and arrive unchanged.
    ///
    /// No control characters, which could end the header (RFC 9110, 5.5), and no space at either end, which receivers
    /// remove: `"admin "` would become another user. Bytes from 0x80 on are passed on as they are.
    var areSafe: Bool {
        for index in self.ends.indices {
            let range = self.range(index)
            guard range.count <= GatewayLimits.headerValueBytes else { return false }
            if range.isEmpty { continue }
            if self.bytes[range.lowerBound] == 0x20 || self.bytes[range.upperBound - 1] == 0x20 { return false }
        }
        return self.bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}
