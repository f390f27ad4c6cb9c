import ComponentKit
import StageKit

/// Writes a checkpoint, frame by frame, to wherever bytes go.
struct CheckpointWriter {
    private let write: ([UInt8]) throws -> Void
    private var frame: [UInt8] = []
    private var frames: UInt64 = 0
    private var records: UInt64 = 0

    /// Writes the preamble and the header; `write` is called with one piece after another.
    init(_ header: CheckpointFormat.Header, to write: @escaping ([UInt8]) throws -> Void) throws {
        self.write = write
        var preamble = CheckpointFormat.magic
        preamble.append(number: CheckpointFormat.version)
        try write(preamble)
        self.begin(.header)
        self.frame.append(text: header.definition)
        self.frame.append(number: header.cursor.milliseconds)
        self.frame.append(number: header.cursor.sequence)
        self.frame.append(text: header.position)
        try self.end()
    }

    /// Writes a store's records, shard by shard, each shard as it is at some moment from now on.
    ///
    /// Changes wait while a shard is copied, well under a millisecond with a million snapshots; lookups do not wait.
    /// `isWanted` is called between shards; if it returns false, `CancellationError` is thrown.
    mutating func add(_ store: MemoryStore, isWanted: () -> Bool) throws {
        let names = store.fieldNames
        self.begin(.store)
        self.frame.append(text: store.name)
        self.frame.append(text: store.keyField)
        self.frame.append(number: UInt32(names.count))
        for name in names { self.frame.append(text: name) }
        try self.end()
        self.begin(.records)
        for shard in 0..<store.shardTotal {
            guard isWanted() else { throw CancellationError() }
            self.records += UInt64(store.appendRecords(ofShard: shard, to: &self.frame, names: names.count))
            if self.frame.count >= CheckpointFormat.recordsFrameSize {
                try self.split()
                self.begin(.records)
            }
        }
        try self.end()
    }

    /// Writes the state of a stage.
    mutating func add(_ stage: SavedStage) throws {
        guard stage.state.count <= StageStateLimits.bytes else {
            throw CheckpointFailure(
                "the state of the stage \(stage.name) is larger than \(StageStateLimits.bytes) bytes")
        }
        var start = 0
        repeat {
            let end = min(start + CheckpointFormat.stageFrameSize, stage.state.count)
            self.begin(.stage)
            self.frame.append(text: stage.name)
            self.frame.append(contentsOf: stage.state[start..<end])
            try self.end()
            start = end
        } while start < stage.state.count
    }

    /// Writes the end.
    mutating func finish() throws {
        self.begin(.end)
        self.frame.append(number: self.records)
        try self.end()
    }

    private mutating func begin(_ kind: CheckpointFormat.Kind) {
        self.frame.removeAll(keepingCapacity: true)
        self.frame.append(number: kind.rawValue)
        self.frame.append(number: UInt32(0))
    }

    /// Writes the frame's records as frames of the size that a reader takes, each cut between two records.
    private mutating func split() throws {
        let all = self.frame
        var start = CheckpointFormat.frameHeaderSize
        while start < all.count {
            var next = start
            while next < all.count, next - start < CheckpointFormat.recordsFrameSize {
                let size = all[next..<next + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
                next += 4 + size
            }
            self.begin(.records)
            self.frame += all[start..<next]
            try self.end()
            start = next
        }
    }

    private mutating func end() throws {
        let count = UInt32(self.frame.count - CheckpointFormat.frameHeaderSize)
        for byte in 0..<4 { self.frame[4 + byte] = UInt8(truncatingIfNeeded: count >> (8 * UInt32(byte))) }
        self.frame.append(number: XXHash64.hash(unsafe self.frame.span.bytes, seed: self.frames))
        self.frames += 1
        try self.write(self.frame)
    }
}
