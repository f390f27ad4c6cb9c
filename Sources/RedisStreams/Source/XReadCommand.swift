import RESP
import StageKit

/// The read of a stream, encoded in advance except for the id, which changes with every read.
struct XReadCommand: Sendable {
    /// Maximum number of entries to read.
    let count: Int
    /// How long the server waits if there are no entries: whole milliseconds, at least one.
    let block: Duration
    private let head: [UInt8]
    /// Whether the read begins after an id. A group's read does not: the server knows which entries are new to it.
    private let takesID: Bool

    /// Creates a read of at most `count` entries that waits up to `block`, rounded down to whole milliseconds, at least
    /// one.
    ///
    /// - Parameter group: The commands of the group that shares the stream, or `nil` to read all entries.
    init(_ stream: String, _ group: GroupCommands? = nil, count: Int, block: Duration) {
        let milliseconds = max(1, block.microseconds / 1000)
        self.count = count
        self.block = .milliseconds(milliseconds)
        self.takesID = group == nil
        if let group {
            self.head = group.read(count: count, blockMilliseconds: milliseconds).encoded()
        } else {
            let command = RESPCommand("XREAD", "COUNT", count, "BLOCK", milliseconds, "STREAMS", stream, "")
            // The encoding ends with the empty id: "$0", CR LF, CR LF.
            self.head = Array(command.encoded().dropLast(6))
        }
    }

    /// Returns the encoded command that reads after `id`, which a group's read ignores.
    func encoded(after id: EntryID) -> [UInt8] {
        guard self.takesID else { return self.head }
        let (milliseconds, sequence) = (Digits(id.milliseconds), Digits(id.sequence))
        let length = Digits(UInt64(milliseconds.count + 1 + sequence.count))
        let lineEnd: [2 of UInt8] = [0x0D, 0x0A]
        // In addition to the numbers: a dollar sign, a dash and two line ends.
        let capacity = self.head.count + 6 + length.count + milliseconds.count + sequence.count
        return Array(capacity: capacity) { bytes in
            for byte in self.head { bytes.append(byte) }
            bytes.append(UInt8(ascii: "$"))
            length.write(to: &bytes)
            for index in lineEnd.indices { bytes.append(lineEnd[index]) }
            milliseconds.write(to: &bytes)
            bytes.append(UInt8(ascii: "-"))
            sequence.write(to: &bytes)
            for index in lineEnd.indices { bytes.append(lineEnd[index]) }
        }
    }

    /// The decimal digits of a number. A read is sent for every reply, and making a `String` of the id took a tenth of
    /// the work of a small reply.
    private struct Digits {
        /// Maximum number of digits of a 64-bit number.
        private static let limit = 20

        private var digits = [20 of UInt8](repeating: 0)
        /// The number of digits; they are at the end of `digits`.
        private(set) var count = 0

        init(_ number: UInt64) {
            var rest = number
            repeat {
                self.count += 1
                self.digits[Self.limit - self.count] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
        }

        func write(to bytes: inout OutputSpan<UInt8>) {
            for index in (Self.limit - self.count)..<Self.limit { bytes.append(self.digits[index]) }
        }
    }
}
