import StageKit

extension ExpiryRule.FieldTime {
    /// Reads a text: a whole number of milliseconds, or a timestamp of RFC 3339 such as `2026-11-30T16:00:00Z`. Anything
    /// else, an empty text too, is unreadable.
    init(text: Span<UInt8>) {
        if let time = TimeReader.number(text) ?? TimeReader.timestamp(text) {
            self = .milliseconds(time)
        } else {
            self = .unreadable
        }
    }
}
