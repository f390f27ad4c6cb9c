import RESP
package import StageKit

/// What a server tells of a stream at one moment.
///
/// Source: Redis commands, XINFO STREAM. Redis 6.2 tells neither deletions nor how many entries were ever added; 7.0 and
/// Valkey do.
package struct StreamFacts: Equatable, Sendable {
    /// How many entries it holds.
    package var length: UInt64
    /// The first entry it holds; nil where it is empty.
    package var first: EntryID?
    /// The last entry it holds; nil where it is empty.
    package var last: EntryID?
    /// The greatest id ever given, also to an entry that is gone.
    package var generated: EntryID
    /// The greatest id that XDEL took out, `0-0` where none was; trimming does not count. Nil where not told.
    package var deleted: EntryID?
    /// How many entries were ever added. Nil where not told.
    package var added: UInt64?

    /// What is told of a stream.
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

    /// The command whose answer this is.
    static func command(_ stream: String) -> RESPCommand { RESPCommand("XINFO", "STREAM", stream) }

    /// How the answer begins where there is no such stream.
    static let missing = "ERR no such key"
}

extension StreamFacts {
    /// Reads the answer to XINFO STREAM: names and values in turn, unknown names skipped; nil for another shape.
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
