import StageKit

/// How a writer's events become records: the columns to keep and the numbers of their names.
struct RecordColumns: Sendable {
    /// A column that is kept.
    struct Column: Sendable {
        /// The column in the event.
        let field: FieldID
        /// The number of its name in the store.
        let number: UInt8
    }

    /// The column of the key.
    let key: FieldID
    /// The columns kept, in the order of a snapshot's fields; at most `FieldNames.limit - 1`.
    let fields: [Column]
}

/// The one form in which Swift prints an integer: digits without leading zeros, `-` before negative ones.
enum CanonicalInteger {
    /// Whether an integer prints as exactly these bytes.
    static func prints(_ integer: Int64, as text: Span<UInt8>) -> Bool {
        let isNegative = integer < 0
        var rest = integer.magnitude
        var position = text.count
        repeat {
            position -= 1
            let digit = UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0")
            guard position >= 0, text[position] == digit else { return false }
            rest /= 10
        } while rest > 0
        guard isNegative else { return position == 0 }
        return position == 1 && text[0] == UInt8(ascii: "-")
    }
}
