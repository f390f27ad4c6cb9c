/// A value of any type that was read from text, to be set on an event together with the text.
public enum FieldValue: Sendable, Hashable {
    /// Text, which has no other form.
    case text
    /// A whole number of 64 bits.
    case integer(Int64)
    /// A value of any other type.
    case typed(TypedValue)
}

extension FieldType {
    /// Reads a value of the type; white space around numbers, truth values and times is ignored.
    ///
    /// - Throws: The reason if the text is not a value of the type.
    public func value(of bytes: Span<UInt8>) throws(ValueMistake) -> FieldValue {
        guard self == .integer else { return try self.read(bytes).map { .typed($0) } ?? .text }
        do throws(DecimalInteger.Mistake) {
            return .integer(try DecimalInteger.parse(bytes.extracting(Blank.trimmed(bytes))))
        } catch {
            switch error {
            case .notANumber: throw ValueMistake(message: "is not a whole number", quotesText: true)
            case .outOfRange: throw ValueMistake(message: "is out of range for a 64-bit number", quotesText: true)
            }
        }
    }
}

extension Event {
    /// Copies a value's text into the batch and sets a field to the value. `room` says how many bytes can be copied.
    public mutating func set(_ field: FieldID, copying bytes: [UInt8], as value: FieldValue) {
        self.set(field, copying: bytes)
        guard value != .text, let range = self.range(of: field) else { return }
        switch value {
        case .text: break
        case .integer(let integer): self.set(field, integer: integer, range: range)
        case .typed(let typed): self.set(field, typed: typed, range: range)
        }
    }

    /// The number of bytes that can still be copied into the event's batch. Copying more ends the process.
    public var room: Int { unsafe EventBatch.arenaLimit - self.storage.pointee.arena.count }
}
