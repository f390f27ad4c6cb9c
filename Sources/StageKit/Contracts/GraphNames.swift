/// The names of one graph and their numbers: fields, effects and reasons.
package final class GraphNames {
    /// Effects are numbered in one byte.
    package static let effectLimit = 255
    /// Reasons beyond this are counted as `other`, so that text from stages cannot grow the counters without end.
    package static let reasonLimit = 64

    /// Field names by number.
    package private(set) var fields: [String] = []
    /// Effect names by number.
    package private(set) var effects: [String] = []
    /// Reason names by number; the first is "no reason".
    package private(set) var reasons: [String] = [""]

    /// The fields whose values are shown to nobody.
    package private(set) var secrets: Set<String> = []

    package init() {}

    /// Keeps a field's values from logs, pictures and other views.
    package func keepSecret(_ name: String) {
        self.secrets.insert(name)
    }

    /// The number of a field that is provided already.
    package func field(_ name: String) -> FieldID? {
        self.fields.firstIndex(of: name).map { FieldID(index: $0) }
    }

    /// The number of a field, a new one if it is not known yet.
    package func provide(_ name: String) -> FieldID {
        FieldID(index: GraphNames.index(of: name, in: &self.fields))
    }

    /// The number of an effect; the last one is shared by all effects beyond the limit.
    package func effect(_ name: String) -> EffectID {
        if self.effects.count == GraphNames.effectLimit, !self.effects.contains(name) {
            return EffectID(index: UInt8(GraphNames.effectLimit - 1))
        }
        return EffectID(index: UInt8(GraphNames.index(of: name, in: &self.effects)))
    }

    /// The number of a reason; beyond the limit it is that of `other`.
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
