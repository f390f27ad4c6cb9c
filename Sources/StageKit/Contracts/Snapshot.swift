/// The state of a key as of one entry: a copy that can be kept and passed on.
public struct Snapshot: Sendable, Equatable {
    /// A field of a snapshot.
    public struct Field: Sendable, Equatable {
        /// The field's name.
        public var name: String
        /// The bytes of the value, unchanged.
        public var bytes: [UInt8]
        /// The number, if the value was decoded as one.
        public var integer: Int64?

        /// Creates a field.
        public init(name: String, bytes: [UInt8], integer: Int64? = nil) {
            self.name = name
            self.bytes = bytes
            self.integer = integer
        }
    }

    /// The id of the entry that the snapshot came from.
    public var entryID: EntryID
    /// The key under which it is held.
    public var key: [UInt8]
    /// The fields that the entry had, in the order of the graph's fields.
    public var fields: [Field]

    /// Creates a snapshot.
    public init(entryID: EntryID, key: [UInt8], fields: [Field]) {
        self.entryID = entryID
        self.key = key
        self.fields = fields
    }

    /// The value of a field as text, or `nil` if it has none; bytes that are not UTF-8 are replaced.
    public subscript(name: String) -> String? {
        self.fields.first { $0.name == name }.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    /// The number of a field, or `nil` if it has none.
    public func integer(_ name: String) -> Int64? {
        self.fields.first { $0.name == name }?.integer
    }
}

extension Snapshot.Field {
    /// Returns the field's value as a value of the type that the graph gives the field. A store keeps the text only.
    ///
    /// - Returns: The value, or `nil` if the type has no typed values or the text is not of the type.
    public func typedValue(_ type: FieldType?) -> TypedValue? {
        guard let type, self.integer == nil else { return nil }
        return (try? type.read(self.bytes.span)) ?? nil
    }
}
