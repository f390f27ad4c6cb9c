import RESP
import StageKit

/// A revoked key and the entry that revoked it, as others are told of it.
struct Revocation: Sendable, Equatable {
    /// The key's bytes.
    let key: [UInt8]
    /// The entry's id.
    let entry: EntryID

    /// The command that tells it: PUBLISH with a JSON object, or XADD with the fields `key` and `entry`.
    func command(to target: RevocationSettings.Target) -> RESPCommand {
        switch target {
        case .channel(let channel): RESPCommand("PUBLISH", channel, self.json)
        case .stream(let stream, let maxLength):
            RESPCommand(
                "XADD", stream, "MAXLEN", "~", maxLength, "*", "key", self.key, "entry", self.entry.description)
        }
    }

    /// `{"key":"ds-1","entry":"1700000000000-0"}`; a key that is not UTF-8 goes as base64 under `key_b64`.
    var json: String {
        let entry = "\"entry\":\"\(self.entry)\""
        guard let key = String(validating: self.key, as: UTF8.self) else {
            return "{\"key_b64\":\"\(Self.base64(self.key))\",\(entry)}"
        }
        return "{\"key\":\"\(Self.escaped(key))\",\(entry)}"
    }

    /// Text as it stands between quotes in JSON (RFC 8259, section 7).
    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// Base64 with padding (RFC 4648, section 4).
    static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for position in 0..<4 {
                text.append(position <= group.count ? alphabet[bits >> (18 - 6 * position) & 0x3F] : "=")
            }
        }
        return text
    }
}
