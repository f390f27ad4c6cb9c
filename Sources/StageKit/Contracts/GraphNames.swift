/// The names in a graph (fields, effects and reasons) with their numbers.
package final class GraphNames {
    /// The maximum number of effects: an effect's number is one byte.
    package static let effectLimit = 255
    /// The maximum number of reasons. Further reasons are counted as `other`, so that texts from stages cannot grow the
    /// counters without limit.
    package static let reasonLimit = 64

    /// Field names by number.
    package private(set) var fields: [String] = []
    /// Effect names by number.
    package private(set) var effects: [String] = []
    /// Reason names by number; the first is "no reason".
    package private(set) var reasons: [String] = [""]

    /// The fields whose values must not be shown.
    package private(set) var secrets: Set<String> = []

    /// The types of the fields, by name; `unknown` if stages give a field several types.
    private var types: [String: FieldType] = [:]

    package init() {}

    /// Records that a stage gives a field values of a type.
    package func note(_ type: FieldType, of name: String) {
        self.types[name] = self.types[name].map { $0 == type ? type : .unknown } ?? type
    }

    /// The types of the fields that are neither text nor int64, if all stages give a field the same type.
    package var typedFields: [String: FieldType] {
        self.types.filter { ![.text, .integer, .unknown].contains($0.value) }
    }

    /// Hides a field's values in logs, diagrams and other output.
    package func keepSecret(_ name: String) {
        self.secrets.insert(name)
    }

    /// Returns the number of a field, or `nil` if no stage provides it yet.
    package func field(_ name: String) -> FieldID? {
        self.fields.firstIndex(of: name).map { FieldID(index: $0) }
    }

    /// Returns the number of a field, and adds the field if it is new.
    package func provide(_ name: String) -> FieldID {
        FieldID(index: GraphNames.index(of: name, in: &self.fields))
    }

    /// Returns the number of an effect, and adds the effect if it is new. All effects beyond the limit share the last
    /// number.
    package func effect(_ name: String) -> EffectID {
        if self.effects.count == GraphNames.effectLimit, !self.effects.contains(name) {
            return EffectID(index: UInt8(GraphNames.effectLimit - 1))
        }
        return EffectID(index: UInt8(GraphNames.index(of: name, in: &self.effects)))
    }

    /// Returns the number of a reason, and adds the reason if it is new. Beyond the limit it is the number of `other`.
    package func reason(_ name: String) -> ReasonID {
        if self.reasons.count >= GraphNames.reasonLimit, !self.reasons.contains(name) {
            return ReasonID(index: UInt16(GraphNames.index(of: "other", in: &self.reasons)))
        }
        return ReasonID(index: UInt16(GraphNames.index(of: name, in: &self.reasons)))
    }

    private static func index(of name: String, in list: inout [String]) -> Int {
        if let index = list.firstIndex(of: name) { return index }
        list.append(name)
        return list.count - 1
    }
}
