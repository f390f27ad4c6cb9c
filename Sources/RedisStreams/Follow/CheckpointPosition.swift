import ComponentKit
import StageKit

/// The position that a checkpoint stores for its source: the mark, and the stream that it belongs to.
///
/// As text: the lines of the mark, then `stream <database> <key>`; the key may contain anything.
package struct CheckpointPosition: Equatable, Sendable {
    /// The mark of the stream.
    package var mark: StreamMark
    /// The number of the stream's database.
    package var database: Int
    /// The stream's key.
    package var stream: String

    /// Creates a position in a stream.
    package init(mark: StreamMark, database: Int, stream: String) {
        self.mark = mark
        self.database = database
        self.stream = stream
    }

    private static let label = "\nstream "
    private var place: String { "\(self.database) \(self.stream)" }

    /// The position as text.
    package var text: String { self.mark.text + Self.label + self.place }

    /// Parses the mark from the text of a position.
    ///
    /// - Throws: `CheckpointFailure` if the position belongs to another stream or cannot be parsed.
    static func mark(in text: String, database: Int, stream: String) throws(CheckpointFailure) -> StreamMark {
        guard let range = text.firstRange(of: Self.label),
            let mark = StreamMark(text: String(text[..<range.lowerBound]))
        else { throw CheckpointFailure("its position cannot be parsed") }
        let place = text[range.upperBound...]
        guard place == CheckpointPosition(mark: mark, database: database, stream: stream).place else {
            throw CheckpointFailure("it belongs to another stream: \(place) (database and key)")
        }
        return mark
    }
}
