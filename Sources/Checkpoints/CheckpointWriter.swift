import ComponentKit
import SnapshotStores
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
        self.frame.append(text: header.bookmark)
        try self.end()
    }

    /// Writes a store's records, part by part, each part as it is at some moment from now on.
    ///
    /// `isWanted` is called between parts; if it returns false, `CancellationError` is thrown.
    mutating func add(_ store: any CheckpointedStore, isWanted: () -> Bool) throws {
        let names = store.recordFields
        self.begin(.store)
        self.frame.append(text: store.name)
        self.frame.append(text: store.keyField)
        self.frame.append(number: UInt32(names.count))
        for name in names { self.frame.append(text: name) }
        try self.end()
        self.begin(.records)
        for part in 0..<store.recordParts {
            guard isWanted() else { throw CancellationError() }
            self.records += UInt64(store.appendRecords(ofPart: part, fields: names.count, to: &self.frame))
            if self.frame.count >= CheckpointFormat.recordsFrameSize {
                try self.split(store.name)
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
    ///
    /// - Throws: `CheckpointFailure` if the store has not appended whole records within the limit.
    private mutating func split(_ store: String) throws {
        let all = self.frame
        var start = CheckpointFormat.frameHeaderSize
        while start < all.count {
            var next = start
            while next < all.count, next - start < CheckpointFormat.recordsFrameSize {
                let head = all[next..<min(next + 4, all.count)].reversed().reduce(0) { $0 << 8 | Int($1) }
                guard head <= CheckpointLimits.recordBytes, next + 4 + head <= all.count else {
                    throw CheckpointFailure("the store \(store) has a malformed record, or one that is too large")
                }
                next += 4 + head
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
