package import StageKit

/// The JSON form of a message about a session that ended, the same wherever it is published.
package enum RevocationMessage {
    /// Returns the message: `{"key":"ds-1","entry":"1700000000000-0"}`, followed by the other members.
    ///
    /// - Parameters:
    ///   - key: The key; one that is not UTF-8 is written in base64 as `key_b64`.
    ///   - entry: The entry that ended the session.
    ///   - others: The names and values of the other members.
    package static func json(
        key: [UInt8], entry: EntryID, others: [(name: String, value: String)]
    ) -> [UInt8] {
        var bytes = [UInt8(ascii: "{")]
        JSONText.appendMember("key", key, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember("entry", entry.description, to: &bytes)
        for member in others {
            bytes.append(UInt8(ascii: ","))
            JSONText.appendMember(member.name, member.value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// The members of an eviction, in addition to its key and its entry.
    package static func eviction(reason: String) -> [(name: String, value: String)] {
        [("kind", "eviction"), ("reason", reason)]
    }

    /// The members of a reset, in addition to its empty key and its entry `0-0`.
    package static func reset(store: String, reason: String) -> [(name: String, value: String)] {
        [("kind", "reset"), ("store", store), ("reason", reason)]
    }
}
