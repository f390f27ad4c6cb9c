/// A field of a store's snapshots whose name is resolved once, so that lookups do not compare names.
public struct SnapshotField: Sendable, Hashable {
    /// The number of the name in the store; `FieldNames.none` if the store has no more numbers.
    let number: UInt8
}

/// The names of a store's fields by number; writers with the same names share the numbers.
struct FieldNames: Sendable {
    /// Records number names in one byte; graphs have a handful of fields.
    static let limit = 255
    /// The maximum number of fields of a record besides that of its stream; one more would equal the mark of a trace.
    static let recordLimit = limit - 2
    /// The name of the field that contains the number of a record's stream; no field of a graph has this name.
    static let stream = ""
    /// A number that is not assigned to any name.
    static let none = UInt8(limit)

    /// The names; the first has number 0.
    private(set) var names: [String] = []

    /// Returns the number of a name: a new one if it has none yet, `none` beyond the limit.
    mutating func number(of name: String) -> UInt8 {
        if let index = self.names.firstIndex(of: name) { return UInt8(index) }
        guard self.names.count < FieldNames.limit else { return FieldNames.none }
        self.names.append(name)
        return UInt8(self.names.count - 1)
    }
}
