import StageKit

/// What a checkpoint remembers of its source: the mark, and which stream it is of.
///
/// As text: the mark's lines, then `stream <database> <key>`, whose key may be anything.
package struct CheckpointPosition: Equatable, Sendable {
    /// What is remembered of the stream.
    package var mark: StreamMark
    /// The database that the stream is in.
    package var database: Int
    /// The stream's key.
    package var stream: String

    /// A position in a stream.
    package init(mark: StreamMark, database: Int, stream: String) {
        self.mark = mark
        self.database = database
        self.stream = stream
    }

    private static let label = "\nstream "
    private var place: String { "\(self.database) \(self.stream)" }

    /// The position as text.
    package var text: String { self.mark.text + Self.label + self.place }

    /// Reads the mark in what `text` has written; throws where it is of another stream, or cannot be read.
    static func mark(in text: String, database: Int, stream: String) throws(CheckpointFailure) -> StreamMark {
        guard let range = text.firstRange(of: Self.label),
            let mark = StreamMark(text: String(text[..<range.lowerBound]))
        else { throw CheckpointFailure("its position cannot be read") }
        let place = text[range.upperBound...]
        guard place == CheckpointPosition(mark: mark, database: database, stream: stream).place else {
            throw CheckpointFailure("it is of another stream: \(place) (database and key)")
        }
        return mark
    }
}
