import CoreMetrics
import Logging
import RESP
import SnapshotStores
import StageKit
import Synchronization
import YAML

/// Something that reads bytes from outside, and what it is given.
protocol FuzzedInput {
    /// How it is called.
    static var name: String { get }

    /// Makes it ready.
    init() throws

    /// Reads one input; returns whether it was taken. What is refused is fine, what crashes, hangs or grows is not.
    mutating func take(_ random: inout Mutator) throws -> Bool
}

/// Replies of a server, in pieces.
struct RESPInput: FuzzedInput {
    static let name = "RESP"
    private static let seeds = [
        "+OK\r\n", "-ERR no such key\r\n", ":42\r\n", "$-1\r\n", "*-1\r\n", "$5\r\nhello\r\n", "*0\r\n",
        "*2\r\n$1\r\na\r\n:-9223372036854775808\r\n",
        "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n",
        "*4\r\n$6\r\nlength\r\n:3\r\n$17\r\nlast-generated-id\r\n$3\r\n9-0\r\n",
    ].map { Array($0.utf8) }
    private static let meaningful = Array("*$+-:\r\n0123456789%_>,#~=(|".utf8)
    private static let limits = RESPLimits(
        bulkBytes: 4096, lineBytes: 256, arrayElements: 64, replyTokens: 256, replyBytes: 8192, nesting: 6,
        pendingBytes: 16384)

    init() {}

    mutating func take(_ random: inout Mutator) -> Bool {
        let bytes = random.mutate(Self.seeds, Self.meaningful, joined: 4, changes: 8)
        var reader = RESPReader(limits: Self.limits)
        var start = 0
        do throws(RESPError) {
            while start < bytes.count {
                let end = min(bytes.count, start + 1 + random.below(40))
                let piece = Array(bytes[start..<end])
                let fed = unsafe piece.withUnsafeBytes { piece in
                    Result { () throws(RESPError) in unsafe try reader.feed(piece) }
                }
                try fed.get()
                var scanner = ReplyScanner()
                _ = reader.scan(&scanner)
                while let reply = try reader.next() {
                    _ = reply.value()
                    reader.recycle(reply)
                }
                start = end
            }
            return true
        } catch {
            return false
        }
    }
}

/// Pipeline files.
struct YAMLInput: FuzzedInput {
    static let name = "YAML"
    private static let seeds = [
        "a: b\n", "- 1\n- [x, {y: z}]\n", "a: &x {b: c}\nd: *x\n", "t: |\n  one\n    two\n",
        "t: >-\n  folded\n  line\n",
        "'q': \"\\u00e4\\x41\\n\"\n", "# comment\n? a\n: b\n", "---\na: ~\n...\n",
        "stages:\n  - decode:\n      fields:\n        id: { type: string, required: true }\n    on_failure: evict\n",
    ].map { Array($0.utf8) }
    private static let meaningful = Array(":-?[]{},#&*!|>'\"%@`\n \t~0x\\\u{00e4}".utf8)

    init() {}

    mutating func take(_ random: inout Mutator) -> Bool {
        let bytes = random.mutate(Self.seeds, Self.meaningful, joined: 4, changes: 10)
        return (try? YAMLParser.parse(bytes)) != nil
    }
}

/// Checkpoint files, most of them with the right checksums, so that what is behind these is read.
struct CheckpointInput: FuzzedInput {
    static let name = "checkpoint"

    /// A place with bytes.
    private final class Place: CheckpointPlace {
        let name = "memory"
        let bytes = Mutex<[UInt8]>([])

        func read<R>(_ body: (_ read: @escaping (Int) throws -> [UInt8]) throws -> R) throws -> R? {
            let bytes = self.bytes.withLock { $0 }
            var start = 0
            return try body { count in
                defer { start = min(bytes.count, start + count) }
                return Array(bytes[start..<min(bytes.count, start + count)])
            }
        }

        func replace(
            _ body: (_ write: @escaping ([UInt8]) throws -> Void) throws -> Void,
            keeping decide: (_ keep: () throws -> Void) throws -> Void
        ) throws {}

        func remove() throws {}
    }

    private let place = Place()
    private let store = MemoryStore(name: "s", keyField: "id", evictions: 8, shards: 2)
    private let checkpoint: FileCheckpoint
    private let preamble: [UInt8]

    init() {
        self.checkpoint = FileCheckpoint(
            self.place, interval: .seconds(1), stores: [self.store], definition: "d",
            logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }, metrics: NOOPMetricsHandler.instance)
        self.preamble = Array("SLUICECP".utf8) + [1, 0, 0, 0]
    }

    private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number($0 * 8)) }
    }

    private static func text(_ text: String) -> [UInt8] { self.bytes(UInt32(text.utf8.count)) + Array(text.utf8) }

    /// A record as a store packs it: id, fields, key, one field of text.
    private static func record(_ key: String, _ id: UInt64) -> [UInt8] {
        let packed =
            self.bytes(id) + self.bytes(UInt64(0)) + [1, UInt8(key.utf8.count)] + Array(key.utf8)
            + [0, UInt8(4 << 2 | 1)] + Array("good".utf8)
        return self.bytes(UInt32(packed.count)) + packed
    }

    private static let header = Self.text("d") + Self.bytes(UInt64(9)) + Self.bytes(UInt64(0)) + Self.text("cursor 9-0")
    private static let frames: [(kind: UInt32, payload: [UInt8])] = [
        (1, Self.header), (2, Self.text("s") + Self.text("id") + Self.bytes(UInt32(1)) + Self.text("status")),
        (3, Self.record("a", 1) + Self.record("b", 2)), (4, Self.bytes(UInt64(2))),
    ]

    mutating func take(_ random: inout Mutator) -> Bool {
        var file = self.preamble
        for (index, frame) in Self.frames.enumerated() {
            var payload = frame.payload
            if random.below(3) == 0 {
                payload = random.mutate([payload], [0, 1, 2, 3, 4, 16, 127, 128, 255], joined: 1, changes: 4)
            }
            var bytes = Self.bytes(random.below(20) == 0 ? UInt32(random.below(6)) : frame.kind)
            bytes += Self.bytes(UInt32(payload.count)) + payload
            bytes += Self.bytes(XXHash64.hash(unsafe bytes.span.bytes, seed: UInt64(index)))
            if random.below(12) != 0 { file += bytes }
        }
        if random.below(10) == 0 { file = random.mutate([file], [0, 255], joined: 1, changes: 3) }
        self.place.bytes.withLock { [file] in $0 = file }
        defer { self.store.removeAll() }
        guard (try? self.checkpoint.load()) != nil else { return false }
        self.store.forEachSnapshot { _ in }
        return true
    }
}
