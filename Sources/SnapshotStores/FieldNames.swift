/// A field of a store's snapshots whose name is resolved once, so that lookups do not compare names.
public struct SnapshotField: Sendable, Hashable {
    /// The number of the name in the store; `FieldNames.none` if the store has no more numbers.
    let number: UInt8
}

/// The names of a store's fields by number; writers with the same names share the numbers.
struct FieldNames: Sendable {
    /// Records number names in one byte; graphs have a handful of fields.
    static let limit = 255
    /// The most fields of a record beside the one of its stream, or the number of fields would be the mark of a trace.
    static let recordLimit = limit - 2
    /// The name of the field with the number of the stream that a record came from; no field of a graph has it.
    static let stream = ""
    /// The number that no name has.
    static let none = UInt8(limit)

    /// The names, the first one numbered 0.
    private(set) var names: [String] = []

    /// The number of a name: a new one if it has none yet, `none` beyond the limit.
    mutating func number(of name: String) -> UInt8 {
        if let index = self.names.firstIndex(of: name) { return UInt8(index) }
        guard self.names.count < FieldNames.limit else { return FieldNames.none }
        self.names.append(name)
        return UInt8(self.names.count - 1)
    }
}
