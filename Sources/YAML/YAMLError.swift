/// The reason why a document was refused, with its position.
package struct YAMLError: Error, Equatable, Sendable {
    /// The position: always inside the document, or just after its end.
    package var position: YAMLPosition
    /// The problem and its remedy, without the position.
    package var message: String

    /// Creates an error.
    package init(position: YAMLPosition, message: String) {
        self.position = position
        self.message = message
    }
}

extension YAMLError: CustomStringConvertible {
    /// `line:column: message`.
    package var description: String { "\(self.position.line):\(self.position.column): \(self.message)" }
}
