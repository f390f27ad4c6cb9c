/// The fields that stages have provided on the way to one place in the graph.
package struct FieldScope: Sendable {
    /// Their names, in the order they were first provided.
    package private(set) var fields: [String]
    /// Whether a stage on the way could not be made, so that what it would have provided is not known.
    package private(set) var isIncomplete: Bool

    /// The scope of a place that these fields reach.
    package init(fields: [String] = [], isIncomplete: Bool = false) {
        self.fields = fields
        self.isIncomplete = isIncomplete
    }

    /// Adds a field.
    package mutating func provide(_ name: String) {
        if !self.fields.contains(name) { self.fields.append(name) }
    }

    /// Notes that more may be provided than is known.
    package mutating func loseTrack() {
        self.isIncomplete = true
    }

    /// Adds what another way provides that leads to the same place.
    package mutating func formUnion(_ other: FieldScope) {
        for name in other.fields { self.provide(name) }
        self.isIncomplete = self.isIncomplete || other.isIncomplete
    }
}
