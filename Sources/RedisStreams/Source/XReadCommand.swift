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
        var bytes = self.head
        // Two numbers of 20 digits, a dash, their length and three line ends.
        bytes.reserveCapacity(bytes.count + 48)
        let length = Self.digits(of: id.milliseconds) + 1 + Self.digits(of: id.sequence)
        bytes.append(UInt8(ascii: "$"))
        Self.append(UInt64(length), to: &bytes)
        bytes.append(contentsOf: [0x0D, 0x0A])
        Self.append(id.milliseconds, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Self.append(id.sequence, to: &bytes)
        bytes.append(contentsOf: [0x0D, 0x0A])
        return bytes
    }

    private static func digits(of number: UInt64) -> Int {
        var count = 1
        var rest = number / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        return count
    }

    /// Digit by digit: a read is sent for every reply, and making a `String` of its id took a tenth of a small one's work.
    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        let count = Self.digits(of: number)
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: count))
        var rest = number
        for index in ((bytes.count - count)..<bytes.count).reversed() {
            bytes[index] += UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }
}
