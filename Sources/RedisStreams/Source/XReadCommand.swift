import RESP
import StageKit

/// The read of a stream, encoded once but for the id, which is what changes from one read to the next.
struct XReadCommand: Sendable {
    /// The most entries it reads.
    let count: Int
    private let head: [UInt8]

    /// Reads at most `count` entries and waits up to `block`, cut to whole milliseconds and at least one.
    init(stream: String, count: Int, block: Duration) {
        self.count = count
        let blockMilliseconds = max(1, block.microseconds / 1000)
        let command = RESPCommand("XREAD", "COUNT", count, "BLOCK", blockMilliseconds, "STREAMS", stream, "")
        // The encoding ends with the empty id: "$0", CR LF, CR LF.
        self.head = Array(command.encoded().dropLast(6))
    }

    /// The command that reads behind `id`.
    func encoded(after id: EntryID) -> [UInt8] {
        let text = id.description
        var bytes = self.head
        bytes.reserveCapacity(bytes.count + text.utf8.count + 8)
        bytes.append(contentsOf: "$\(text.utf8.count)\r\n\(text)\r\n".utf8)
        return bytes
    }
}
