import Checkpoints
import ComponentKit
import CoreMetrics
import Logging
import SnapshotStores
import StageKit
import Synchronization

/// Checkpoint files, most of them with the right checksums, so that what is behind these is read.
struct CheckpointInput: FuzzedInput {
    static let name = "checkpoint"

    /// A storage in memory.
    private final class Storage: CheckpointStorage {
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

        func put(_ bytes: [UInt8]) throws {}

        func remove() throws {}
    }

    private let storage = Storage()
    private let store = MemoryStore(name: "s", keyField: "id", evictions: 8, shards: 2)
    private let checkpoint: FileCheckpoint
    init() {
        self.checkpoint = FileCheckpoint(
            self.storage, interval: .seconds(1), stores: [self.store], definition: "d",
            logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }, metrics: NOOPMetricsHandler.instance)
    }

    private static let preamble = Array("SLUICECP".utf8) + [1, 0, 0, 0]

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

    static let seeds = [
        described(frames), described(frames.dropLast()), described(Array(frames[..<2]) + frames[2...] + frames[2...]),
    ]

    /// Frames without their checksums, as `read` takes them: a byte of kind, four of size, the payload.
    private static func described(_ frames: some Sequence<(kind: UInt32, payload: [UInt8])>) -> [UInt8] {
        frames.flatMap { [UInt8(truncatingIfNeeded: $0.kind)] + self.bytes(UInt32($0.payload.count)) + $0.payload }
    }

    func make(_ random: inout Mutator) -> [UInt8] {
        var frames: [(kind: UInt32, payload: [UInt8])] = []
        for frame in Self.frames {
            var made = frame
            if random.below(3) == 0 {
                made.payload = random.mutate(
                    [frame.payload], [0, 1, 2, 3, 4, 16, 127, 128, 255], joined: 1, changes: 4)
            }
            if random.below(20) == 0 { made.kind = UInt32(random.below(6)) }
            if random.below(12) != 0 { frames.append(made) }
        }
        let bytes = Self.described(frames)
        return random.below(10) == 0 ? random.mutate([bytes], [0, 255], joined: 1, changes: 3) : bytes
    }

    mutating func read(_ bytes: [UInt8]) -> Bool {
        let file = Self.file(bytes)
        self.storage.bytes.withLock { $0 = file }
        defer { self.store.removeAll() }
        guard (try? self.checkpoint.load()) != nil else { return false }
        self.store.forEachSnapshot { _ in }
        return true
    }

    /// The file of described frames, each with the right checksum; what describes no frame follows as it is.
    private static func file(_ described: [UInt8]) -> [UInt8] {
        var file = self.preamble
        var rest = described[...]
        var index: UInt64 = 0
        while rest.count >= 5 {
            let size = (1...4).reduce(0) { $0 | Int(rest[rest.startIndex + $1]) << (($1 - 1) * 8) }
            guard rest.count - 5 >= size else { break }
            let payload = rest.dropFirst(5).prefix(size)
            var frame = self.bytes(UInt32(rest[rest.startIndex])) + self.bytes(UInt32(size)) + payload
            frame += self.bytes(XXHash64.hash(unsafe frame.span.bytes, seed: index))
            file += frame
            rest = rest.dropFirst(5 + size)
            index += 1
        }
        return file + rest
    }
}
