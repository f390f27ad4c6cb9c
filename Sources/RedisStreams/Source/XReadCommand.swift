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
        let (milliseconds, sequence) = (Digits(id.milliseconds), Digits(id.sequence))
        let length = Digits(UInt64(milliseconds.count + 1 + sequence.count))
        let lineEnd: [2 of UInt8] = [0x0D, 0x0A]
        // A dollar sign, a dash and two line ends stand between and behind the numbers.
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

    /// A number's decimal digits: a read is sent for every reply, and making a `String` of its id took a tenth of a small
    /// one's work.
    private struct Digits {
        /// The most digits of 64 bits.
        private static let limit = 20

        private var digits = [20 of UInt8](repeating: 0)
        /// How many there are; they stand at the end.
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
