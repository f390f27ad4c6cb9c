/// The fields that stages have provided on the path to one position in the graph.
package struct FieldScope: Sendable {
    /// Their names, in the order they were first provided.
    package private(set) var fields: [String]
    /// The types of the fields whose type is known.
    private var types: [String: FieldType] = [:]
    /// Whether a stage on the path could not be made, so that its fields are unknown.
    package private(set) var isIncomplete: Bool

    /// Creates the scope of a position in the graph that these fields reach.
    package init(fields: [String] = [], isIncomplete: Bool = false) {
        self.fields = fields
        self.isIncomplete = isIncomplete
    }

    /// Adds a field; a later stage may give it another type.
    package mutating func provide(_ name: String, _ type: FieldType = .unknown) {
        if !self.fields.contains(name) { self.fields.append(name) }
        self.types[name] = type
    }

    /// Returns the type of a field.
    package func type(of name: String) -> FieldType { self.types[name] ?? .unknown }

    /// Records that unknown fields may be provided.
    package mutating func loseTrack() {
        self.isIncomplete = true
    }

    /// Adds the fields of another path that leads to the same position.
    package mutating func formUnion(_ other: FieldScope) {
        for name in other.fields {
            let isSame = !self.fields.contains(name) || self.type(of: name) == other.type(of: name)
            self.provide(name, isSame ? other.type(of: name) : .unknown)
        }
        self.isIncomplete = self.isIncomplete || other.isIncomplete
    }
}
