import ComponentKit
import RESP
import StageKit

/// A message to revocation consumers: a key that was revoked or evicted, or a store that was emptied.
///
/// A revocation has only a key and an entry. An eviction and a reset also have a `kind` and a `reason`, and a reset has
/// the name of its store. A reset's key is empty and its entry is `0-0`, so a consumer that reads only these two
/// members finds no session to terminate.
struct Revocation: Sendable, Equatable {
    /// The key's bytes; empty for a reset.
    var key: [UInt8] = []
    /// The entry's id; zero for a reset.
    var entry = EntryID.zero
    /// The other members, in order.
    var others: [Member] = []

    /// An additional member of the message.
    struct Member: Sendable, Equatable {
        /// The member's name.
        var name: String
        /// The member's value.
        var value: String
    }

    /// Creates a revocation.
    static func revoked(_ key: [UInt8], _ entry: EntryID) -> Revocation {
        Revocation(key: key, entry: entry)
    }

    /// Creates an eviction with its reason.
    static func evicted(_ key: [UInt8], _ entry: EntryID, reason: String) -> Revocation {
        Revocation(
            key: key, entry: entry,
            others: RevocationMessage.eviction(reason: reason).map { Member(name: $0.name, value: $0.value) })
    }

    /// Creates the reset of a store.
    static func reset(_ reset: StoreReset) -> Revocation {
        Revocation(
            others: RevocationMessage.reset(store: reset.store, reason: reset.reason).map {
                Member(name: $0.name, value: $0.value)
            })
    }

    /// Returns the command that sends the message: PUBLISH with a JSON object, or XADD with the members as fields.
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

    /// The message as JSON: `{"key":"ds-1","entry":"1700000000000-0"}`, followed by the other members. A key that is
    /// not UTF-8 is written in base64 as `key_b64`.
    var json: [UInt8] {
        RevocationMessage.json(key: self.key, entry: self.entry, others: self.others.map { ($0.name, $0.value) })
    }
}
