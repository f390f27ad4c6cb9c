/// The reason why a document was refused, with its position.
package struct YAMLError: Error, Equatable, Sendable {
    /// The position: always inside the document, or just after its end.
    package var mark: YAMLMark
    /// The problem and its remedy, without the position.
    package var message: String

    /// Creates an error.
    package init(mark: YAMLMark, message: String) {
        self.mark = mark
        self.message = message
    }
}

extension YAMLError: CustomStringConvertible {
    /// `line:column: message`.
    package var description: String { "\(self.mark.line):\(self.mark.column): \(self.message)" }
}
