import ComponentKit
import StageKit

/// The bookmark that a checkpoint stores for a stream: the reader's, and the stream that it belongs to.
///
/// As text: the lines of the bookmark, then `stream <database> <key>`; the key may contain anything.
package struct CheckpointBookmark: Equatable, Sendable {
    /// The bookmark of the stream.
    package var bookmark: StreamBookmark
    /// The number of the stream's database.
    package var database: Int
    /// The stream's key.
    package var stream: String

    /// Creates a bookmark.
    package init(bookmark: StreamBookmark, database: Int, stream: String) {
        self.bookmark = bookmark
        self.database = database
        self.stream = stream
    }

    private static let label = "\nstream "
    private var streamText: String { "\(self.database) \(self.stream)" }

    /// The bookmark as text.
    package var text: String { self.bookmark.text + Self.label + self.streamText }

    /// Parses the bookmark from the text of a checkpoint's bookmark.
    ///
    /// - Throws: `CheckpointFailure` if it belongs to another stream or cannot be parsed.
    static func bookmark(in text: String, database: Int, stream: String) throws(CheckpointFailure) -> StreamBookmark {
        guard let range = text.firstRange(of: Self.label),
            let bookmark = StreamBookmark(text: String(text[..<range.lowerBound]))
        else { throw CheckpointFailure("its position cannot be parsed") }
        let streamText = text[range.upperBound...]
        guard streamText == CheckpointBookmark(bookmark: bookmark, database: database, stream: stream).streamText else {
            throw CheckpointFailure("it belongs to another stream: \(streamText) (database and key)")
        }
        return bookmark
    }
}
