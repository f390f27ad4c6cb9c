import RESP
import StageKit

/// A message to those who follow revocations: a key that was revoked or evicted, or a store that was emptied.
///
/// A revocation has a key and an entry and nothing else. An eviction and a reset have a `kind` and a `reason` too, and a
/// reset the name of its store; its key is empty and its entry `0-0`, so that a consumer that reads nothing but these two
/// finds no session to cut off.
struct Revocation: Sendable, Equatable {
    /// The key's bytes; empty for a reset.
    var key: [UInt8] = []
    /// The entry's id; zero for a reset.
    var entry = EntryID.zero
    /// What else the message says, in order.
    var others: [Member] = []

    /// One of the other members of a message.
    struct Member: Sendable, Equatable {
        /// Its name.
        var name: String
        /// Its value.
        var value: String
    }

    /// A revocation.
    static func revoked(_ key: [UInt8], _ entry: EntryID) -> Revocation {
        Revocation(key: key, entry: entry)
    }

    /// An eviction, with its reason.
    static func evicted(_ key: [UInt8], _ entry: EntryID, reason: String) -> Revocation {
        Revocation(
            key: key, entry: entry,
            others: [Member(name: "kind", value: "eviction"), Member(name: "reason", value: reason)])
    }

    /// The reset of a store.
    static func reset(_ reset: StoreReset) -> Revocation {
        Revocation(others: [
            Member(name: "kind", value: "reset"), Member(name: "store", value: reset.store),
            Member(name: "reason", value: reset.reason),
        ])
    }

    /// The command that sends it: PUBLISH with a JSON object, or XADD with its members as fields.
    func command(to target: RevocationSettings.Target) -> RESPCommand {
        switch target {
        case .channel(let channel): return RESPCommand("PUBLISH", channel, self.json)
        case .stream(let stream, let maxLength):
            let head: [any RESPArgument] = [
                stream, "MAXLEN", "~", maxLength, "*", "key", self.key, "entry", self.entry.description,
            ]
            let others = self.others.flatMap { [$0.name.respBytes, $0.value.respBytes] }
            return RESPCommand("XADD", arguments: head.map(\.respBytes) + others)
        }
    }

    /// `{"key":"ds-1","entry":"1700000000000-0"}` with the other members behind; a key that is not UTF-8 goes as base64
    /// under `key_b64`.
    var json: [UInt8] {
        var bytes = [UInt8(ascii: "{")]
        JSONText.appendMember("key", self.key, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember("entry", self.entry.description, to: &bytes)
        for member in self.others {
            bytes.append(UInt8(ascii: ","))
            JSONText.appendMember(member.name, member.value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}
