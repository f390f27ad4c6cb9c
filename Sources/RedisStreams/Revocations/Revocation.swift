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
    var json: [UInt8] {
        var bytes = [UInt8(ascii: "{")]
        JSONText.appendMember("key", self.key, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember("entry", self.entry.description, to: &bytes)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}
