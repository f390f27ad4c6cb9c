/// Text that no description, dump or log shows.
public struct Secret: Sendable, Equatable {
    /// The text itself: only for the wire.
    package let text: String

    /// Hides a text.
    public init(_ text: String) {
        self.text = text
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The same words for every secret.
    public var description: String { "(secret)" }
    /// The same as `description`.
    public var debugDescription: String { self.description }
    /// Nothing to look into.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
