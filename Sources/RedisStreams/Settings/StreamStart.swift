public import StageKit

/// The start of the first read of a stream.
public enum StreamStart: Sendable, Equatable {
    /// After the entry that is the last one when the source starts.
    case tail
    /// At the first entry of the stream.
    case beginning
    /// After this id.
    case after(EntryID)
    /// At the first entry within this duration before the server's current time.
    case back(Duration)
    /// At the checkpoint. If there is none and nothing to fill the stores from, at the tail.
    case resume

    /// Parses `tail`, `beginning`, `resume`, an entry id, or a time back such as `-15m`.
    ///
    /// - Throws: `SettingRefusal` with the accepted forms.
    public init(_ text: String) throws(SettingRefusal) {
        switch text {
        case "tail": self = .tail
        case "beginning": self = .beginning
        case "resume": self = .resume
        default:
            if let id = EntryID(text) {
                self = .after(id)
            } else if text.hasPrefix("-"), let back = SettingUnits.duration(String(text.dropFirst())), back > .zero {
                self = .back(back)
            } else {
                throw SettingRefusal(
                    "expected tail, beginning, resume, an entry id such as 1700000000000-0, or a time back such as -15m, "
                        + "found \"\(text)\"")
            }
        }
    }

    /// Returns the cursor for a read that begins with the first entry at or after the server's time minus `back`.
    static func cursor(back: Duration, serverMilliseconds: UInt64) -> EntryID {
        let milliseconds = UInt64(clamping: back.microseconds / 1000)
        guard serverMilliseconds > milliseconds else { return .zero }
        return EntryID(milliseconds: serverMilliseconds - milliseconds - 1, sequence: .max)
    }
}

extension SettingType where Value == StreamStart {
    /// The setting type of a start.
    static var streamStart: SettingType<StreamStart> {
        let text = SettingType<String>.text.map { (text) throws(SettingRefusal) in try StreamStart(text) }
        return SettingType(
            shape: .form(
                "tail, beginning, resume, an entry id, or a time back such as -15m",
                pattern: "^(tail|beginning|resume|[0-9]+(-[0-9]+)?|-[0-9]+(us|ms|s|m|h|d))$"),
            decode: text.decode)
    }
}
