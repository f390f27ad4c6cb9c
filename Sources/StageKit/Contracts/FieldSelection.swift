import TextSupport

/// The fields of an event that are sent with a message, as written in the file.
public enum FieldSelection: Sendable {
    /// The entry's own fields, byte for byte and in order, repeated names included.
    case entry
    /// The values of all fields that earlier stages provide, if the event has them.
    case all
    /// The values of these fields, if the event has them.
    case named([LocatedName])

    /// Returns the selection with its names resolved. Adds an error for a field that no earlier stage provides.
    public func resolve(_ setup: StageSetup) -> SelectedFields {
        switch self {
        case .entry: return SelectedFields(columns: nil)
        case .named(let names): return SelectedFields(columns: names.map { ($0.text, setup.input($0)) })
        case .all:
            let names = setup.fields
            if names.isEmpty {
                setup.issues.add(
                    "fields: no earlier stage provides a field (use fields: entry for the fields of the entry itself)",
                    at: setup.position)
            }
            return SelectedFields(columns: names.map { ($0, setup.input(LocatedName($0, at: setup.position))) })
        }
    }
}

extension SettingType where Value == FieldSelection {
    /// `all`, `entry`, or a list of fields.
    public static var fieldSelection: SettingType<FieldSelection> {
        let names = SettingType<[LocatedName]>.list(of: .name, minimum: 1)
        return SettingType(shape: .either([.choice(["all", "entry"]), names.shape])) { node, issues in
            guard case .scalar(let text, _) = node.content else {
                return names.decode(node, &issues).map { .named($0) }
            }
            switch text {
            case "all": return .all
            case "entry": return .entry
            default:
                let hint = Nearest.hint(for: text, among: ["all", "entry"])
                // If no name is near, the hint lists the words that the message already contains.
                let near = hint.hasPrefix(" (did") ? hint : ""
                issues.add("expected all, entry, or a list of fields, found \"\(text)\"\(near)", at: node.position)
                return nil
            }
        }
    }
}

/// The selected fields, ready to be copied from events.
public struct SelectedFields {
    /// A field's name and value, copied from an event.
    public struct Field: Sendable, Equatable {
        /// The name.
        public var name: [UInt8]
        /// The value's bytes.
        public var value: [UInt8]
        /// The number, if the value was decoded as an int64.
        public var integer: Int64?
        /// The typed value, if the value was decoded as a type other than text and int64.
        public var typed: TypedValue?

        /// Creates a field.
        public init(name: [UInt8], value: [UInt8], integer: Int64? = nil, typed: TypedValue? = nil) {
            self.name = name
            self.value = value
            self.integer = integer
            self.typed = typed
        }
    }

    /// The columns with their names, or `nil` for the entry's own fields.
    private let columns: [(name: String, field: FieldID)]?

    fileprivate init(columns: [(name: String, field: FieldID)]?) {
        self.columns = columns
    }

    /// Copies the selected values that the event has, in the order of the selection; allocates.
    public func values(of event: borrowing Event) -> [Field] {
        guard let columns = self.columns else { return event.rawFields }
        var found: [Field] = []
        for (name, field) in columns {
            guard let range = event.range(of: field) else { continue }
            found.append(
                Field(
                    name: Array(name.utf8), value: event.bytes(range), integer: event.integer(of: field),
                    typed: event.typedValue(of: field)))
        }
        return found
    }

    /// Returns whether the event has at least one of the fields.
    public func isPresent(in event: borrowing Event) -> Bool {
        guard let columns = self.columns else { return event.rawFieldCount > 0 }
        for (_, field) in columns where event.range(of: field) != nil { return true }
        return false
    }
}

extension Event {
    /// Returns a copy of a range's bytes.
    public func bytes(_ range: ByteRange) -> [UInt8] {
        unsafe Array(self.unsafeBytes(range))
    }

    /// A copy of the entry's fields, unchanged and in order.
    public var rawFields: [SelectedFields.Field] {
        var found: [SelectedFields.Field] = []
        found.reserveCapacity(self.rawFieldCount)
        for position in 0..<self.rawFieldCount {
            let field = self.rawField(at: position)
            found.append(SelectedFields.Field(name: self.bytes(field.name), value: self.bytes(field.value)))
        }
        return found
    }
}

extension JSONText {
    /// Appends an object of fields, each in the form that its type has in JSON (`appendMember`).
    ///
    /// Invalid bytes in a name are replaced; a repeated name is written repeatedly.
    public static func append(_ fields: [SelectedFields.Field], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        for (index, field) in fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            let name = String(decoding: field.name, as: UTF8.self)
            self.appendMember(name, field.value, integer: field.integer, typed: field.typed, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }
}
