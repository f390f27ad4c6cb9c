/// A position in the text of an expression.
public struct TextPosition: Hashable, Sendable {
    /// The offset in bytes, starting at 0.
    public var offset: Int
    /// The line, starting at 1.
    public var line: Int
    /// The column in Unicode scalars, starting at 1.
    public var column: Int

    /// Finds the line and column of a byte offset; an offset beyond the end is the end.
    public init(offset: Int, in text: String) {
        self.offset = offset
        self.line = 1
        self.column = 1
        for byte in text.utf8.prefix(offset) {
            if byte == 0x0A {
                self.line += 1
                self.column = 1
            } else if byte & 0xC0 != 0x80 {
                self.column += 1
            }
        }
    }
}

/// A mistake in an expression that was found before it was evaluated.
public struct ExpressionProblem: Hashable, Sendable, CustomStringConvertible {
    /// The position of the part that is wrong.
    public var position: TextPosition
    /// The message, without the position.
    public var message: String

    /// The position and message: `1:5: undeclared name "statos" (did you mean "status"?)`.
    public var description: String { "\(self.position.line):\(self.position.column): \(self.message)" }
}

/// The mistakes of an expression, in the order of their positions.
public struct ExpressionProblems: Error, Hashable, Sendable, CustomStringConvertible {
    /// The mistakes: at least one.
    public var problems: [ExpressionProblem]

    /// The mistakes, one per line.
    public var description: String { self.problems.map(\.description).joined(separator: "\n") }
}

/// A mistake at a byte offset, before its line and column are known.
struct OffsetProblem: Error {
    /// The byte offset.
    var offset: Int
    /// The message.
    var message: String
}
