public import StageKit

/// Where the first read of a stream begins.
public enum StreamStart: Sendable, Equatable {
    /// Behind the entry that is the last when the source starts.
    case tail
    /// At the first entry there is.
    case beginning
    /// Behind this id.
    case after(EntryID)
    /// At the first entry of the last while, by the server's clock.
    case back(Duration)
    /// Where the checkpoint left off; at the tail where there is none yet and nothing to fill the stores from.
    case resume

    /// Reads `tail`, `beginning`, `resume`, an entry id or a time back such as `-15m`.
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

    /// The id to read behind so that the first entry at or after `back` before the server's time is included.
    static func cursor(back: Duration, serverMilliseconds: UInt64) -> EntryID {
        let milliseconds = UInt64(clamping: back.microseconds / 1000)
        guard serverMilliseconds > milliseconds else { return .zero }
        return EntryID(milliseconds: serverMilliseconds - milliseconds - 1, sequence: .max)
    }
}

extension SettingType where Value == StreamStart {
    /// A start in one of its forms.
    static var streamStart: SettingType<StreamStart> {
        let text = SettingType<String>.text.map { (text) throws(SettingRefusal) in try StreamStart(text) }
        return SettingType(
            shape: .form(
                "tail, beginning, resume, an entry id, or a time back such as -15m",
                pattern: "^(tail|beginning|resume|[0-9]+(-[0-9]+)?|-[0-9]+(us|ms|s|m|h|d))$"),
            decode: text.decode)
    }
}
