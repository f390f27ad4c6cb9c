package import StageKit

/// A reader's record of a stream, to detect later whether it is still the same stream and whether entries are missing.
package struct StreamBookmark: Equatable, Sendable {
    /// The id up to which entries were read.
    package var cursor: EntryID
    /// The number of entries ever added up to the cursor, as counted by `entries-added`, or `nil` if unknown.
    package var entriesRead: UInt64?
    /// The greatest deleted id that is accounted for, or `nil` if the server does not report it.
    package var deleted: EntryID?
    /// The number of entries that were removed, read or not, or `nil` if the server does not report it.
    package var removed: UInt64?
    /// The greatest id that the stream is known to have assigned.
    package var generated: EntryID
    /// The first entry of the stream if reading began before it; entries that were gone by then are not missed.
    package var baseline: EntryID?
    /// Whether the stream has existed.
    package var isSeen: Bool
    /// Whether the cursor is the id of an entry that existed.
    package var isAnchored: Bool
    /// The server's run id, which changes with a restart and a failover, or `nil` if not reported.
    package var server: String?
}

extension StreamBookmark {
    /// Returns the bookmark of a new stream while the first entries that were read are in flight.
    ///
    /// The cursor stays before them, because they are not finished. Later checks nevertheless expect the stream to
    /// exist, to begin with the first of these entries, and to have assigned the id of the last one.
    func expecting(_ first: EntryID, _ last: EntryID) -> StreamBookmark {
        var bookmark = self
        bookmark.isSeen = true
        bookmark.baseline = first
        bookmark.generated = max(bookmark.generated, last)
        return bookmark
    }

    /// Maximum length of a text to parse, in bytes.
    static let textLimit = 1024

    /// The bookmark as text, for a checkpoint: one `name value` per line.
    package var text: String {
        var lines = ["cursor \(self.cursor)", "generated \(self.generated)"]
        if let entriesRead { lines.append("position \(entriesRead)") }
        if let deleted { lines.append("deleted \(deleted)") }
        if let removed { lines.append("removed \(removed)") }
        if let baseline { lines.append("baseline \(baseline)") }
        lines += ["seen \(self.isSeen)", "anchored \(self.isAnchored)"]
        if let server { lines.append("server \(server)") }
        return lines.joined(separator: "\n")
    }

    /// Parses the output of `text`; returns `nil` for anything else.
    package init?(text: String) {
        guard text.utf8.count <= Self.textLimit else { return nil }
        var values: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1)
            guard words.count == 2, values.updateValue(words[1], forKey: words[0]) == nil else { return nil }
        }
        func id(_ name: Substring) -> EntryID?? {
            guard let value = values[name] else { return .some(nil) }
            return EntryID(String(value)).map { .some($0) }
        }
        let entriesRead = values["position"].map { UInt64($0) }
        // Older versions do not save it.
        let removed = values["removed"].map { UInt64($0) }
        guard case .some(.some(let cursor)) = id("cursor"), case .some(.some(let generated)) = id("generated"),
            case .some(let deleted) = id("deleted"), case .some(let baseline) = id("baseline"),
            entriesRead != .some(nil), removed != .some(nil), let isSeen = values["seen"].flatMap({ Bool(String($0)) }),
            let isAnchored = values["anchored"].flatMap({ Bool(String($0)) })
        else { return nil }
        self.init(
            cursor: cursor, entriesRead: entriesRead ?? nil, deleted: deleted, removed: removed ?? nil,
            generated: generated,
            baseline: baseline, isSeen: isSeen, isAnchored: isAnchored, server: values["server"].map(String.init))
    }
}
