/// A text that does not appear in descriptions, dumps or logs.
public struct Secret: Sendable, Hashable {
    /// The text itself. Use it only to send it.
    package let text: String

    /// Creates a secret from a text.
    public init(_ text: String) {
        self.text = text
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The same placeholder for every secret.
    public var description: String { "(secret)" }
    /// The same as `description`.
    public var debugDescription: String { self.description }
    /// A mirror without children.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
