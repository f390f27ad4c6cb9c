/// The names of a graph's fields, for code that observes events outside of a stage.
public struct FieldTable: Sendable, Equatable {
    /// One field.
    public struct Column: Sendable, Equatable {
        /// The name.
        public var name: String
        /// The column of the value in an event.
        public var field: FieldID
        /// Whether its values must not be shown.
        public var isSecret: Bool
    }

    /// The text shown instead of a secret value.
    public static let placeholder = "[secret]"

    /// Returns the text that may be shown for a value: the text itself, or `placeholder` if the field is secret.
    ///
    /// Logs, journals, taps, failure messages and metric labels all show values through this function.
    public static func shown(_ text: @autoclosure () -> String, isSecret: Bool) -> String {
        isSecret ? self.placeholder : text()
    }

    /// Returns whether the values of a field must not be shown.
    public func isSecret(_ field: FieldID) -> Bool {
        self.columns.contains { $0.field == field && $0.isSecret }
    }

    /// The fields, in the order in which they were first provided.
    public let columns: [Column]

    /// Creates the table of a graph's names.
    package init(_ names: GraphNames) {
        self.columns = names.fields.enumerated().map { index, name in
            Column(name: name, field: FieldID(index: index), isSecret: names.secrets.contains(name))
        }
    }
}
