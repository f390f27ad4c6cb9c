import Logging
import StageKit

/// A value in its logged form: text if it is UTF-8, base64 otherwise, cut if it is long.
enum LoggedValue: Equatable {
    /// UTF-8.
    case text(String)
    /// Anything else, in base64.
    case base64(String)

    /// Creates the logged form of the first `limit` bytes; `…` marks omitted bytes.
    init(_ bytes: Span<UInt8>, limit: Int) {
        let shown = bytes.extracting(first: LoggedValue.length(bytes, limit: limit))
        let ellipsis = shown.count < bytes.count ? "…" : ""
        do {
            self = .text(String(copying: try UTF8Span(validating: shown)) + ellipsis)
        } catch {
            self = .base64(Base64.encode(shown) + ellipsis)
        }
    }

    /// Adds the value under its name, or under `<name>_b64`.
    func add(to metadata: inout Logger.Metadata, name: String) {
        switch self {
        case .text(let text): metadata[name] = .string(text)
        case .base64(let text): metadata["\(name)_b64"] = .string(text)
        }
    }

    /// The number of bytes that are logged: at most `limit`, without cutting a character.
    private static func length(_ bytes: Span<UInt8>, limit: Int) -> Int {
        guard bytes.count > limit else { return bytes.count }
        // A character has three continuation bytes (10xxxxxx) at most; more of them are not UTF-8 anyway.
        for length in (limit - 3...limit).reversed() where bytes[length] & 0xC0 != 0x80 { return length }
        return limit
    }
}
