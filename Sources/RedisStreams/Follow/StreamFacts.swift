import RESP
package import StageKit

/// The facts that a query returned. Both are of one moment.
struct QueriedFacts {
    /// The facts of the stream, or `nil` if it does not exist.
    var stream: StreamFacts?
    /// The facts of the reader's group, or `nil` if it does not exist or the query was not about a group.
    var group: GroupFacts?
}

/// A server's report on a stream at one moment.
///
/// Source: Redis commands, XINFO STREAM. Redis 6.2 reports neither deletions nor the number of entries ever added; 7.0
/// and Valkey do.
package struct StreamFacts: Equatable, Sendable {
    /// The number of entries in the stream.
    package var length: UInt64
    /// The first entry, or `nil` if the stream is empty.
    package var first: EntryID?
    /// The last entry, or `nil` if the stream is empty.
    package var last: EntryID?
    /// The greatest id ever assigned, including ids of entries that are gone.
    package var generated: EntryID
    /// The greatest id that XDEL removed, or `0-0` if none was removed; trimming does not count. `nil` if not reported.
    package var deleted: EntryID?
    /// The number of entries ever added, or `nil` if not reported.
    package var added: UInt64?

    /// Creates facts.
    package init(
        length: UInt64, first: EntryID?, last: EntryID?, generated: EntryID, deleted: EntryID?, added: UInt64?
    ) {
        self.length = length
        self.first = first
        self.last = last
        self.generated = generated
        self.deleted = deleted
        self.added = added
    }

    /// The number of entries that were removed in any way, or `nil` if not reported.
    package var removed: UInt64? { self.added.flatMap { $0 >= self.length ? $0 - self.length : nil } }

    /// Returns the command whose reply contains these facts.
    static func command(_ stream: String) -> RESPCommand { RESPCommand("XINFO", "STREAM", stream) }

    /// The beginning of the error reply if the stream does not exist.
    static let missing = "ERR no such key"
}

extension StreamFacts {
    /// Parses the reply to XINFO STREAM: alternating names and values, with unknown names skipped. Returns `nil` for an
    /// unexpected reply.
    init?(_ value: RESPValue) {
        guard let list = value.array, list.count % 2 == 0 else { return nil }
        var facts = StreamFacts(length: 0, first: nil, last: nil, generated: .zero, deleted: nil, added: nil)
        var found = 0
        for index in stride(from: 0, to: list.count, by: 2) {
            let value = list[index + 1]
            switch list[index].string {
            case "length":
                guard let length = value.integer.flatMap({ UInt64(exactly: $0) }) else { return nil }
                facts.length = length
                found += 1
            case "last-generated-id":
                guard let id = value.string.flatMap({ EntryID($0) }) else { return nil }
                facts.generated = id
                found += 1
            case "max-deleted-entry-id": facts.deleted = value.string.flatMap { EntryID($0) }
            case "entries-added": facts.added = value.integer.flatMap { UInt64(exactly: $0) }
            case "first-entry": facts.first = Self.id(of: value)
            case "last-entry": facts.last = Self.id(of: value)
            default: break
            }
        }
        guard found == 2, (facts.first == nil) == (facts.length == 0), (facts.last == nil) == (facts.length == 0)
        else { return nil }
        self = facts
    }

    private static func id(of entry: RESPValue) -> EntryID? {
        entry.array?.first?.string.flatMap { EntryID($0) }
    }
}
