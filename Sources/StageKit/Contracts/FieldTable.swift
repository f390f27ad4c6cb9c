/// The fields of a graph's events with their names, for those who watch events without being a stage.
public struct FieldTable: Sendable, Equatable {
    /// One field.
    public struct Column: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Where an event has its value.
        public var field: FieldID
        /// Whether its values must not be shown.
        public var isSecret: Bool
    }

    /// What stands in place of a secret value.
    public static let mark = "[secret]"

    /// The text that people may see of a value: the text itself, or `mark` if the field is secret.
    ///
    /// Logs, journals, taps, messages of failures and labels of metrics all show values through this function.
    public static func shown(_ text: @autoclosure () -> String, isSecret: Bool) -> String {
        isSecret ? self.mark : text()
    }

    /// Whether the values of a field must not be shown.
    public func isSecret(_ field: FieldID) -> Bool {
        self.columns.contains { $0.field == field && $0.isSecret }
    }

    /// The fields, in the order they were first provided.
    public let columns: [Column]

    /// A table of a graph's names.
    package init(_ names: GraphNames) {
        self.columns = names.fields.enumerated().map { index, name in
            Column(name: name, field: FieldID(index: index), isSecret: names.secrets.contains(name))
        }
    }
}
