import ComponentKit
import SnapshotStores
import StageKit

/// Reads a checkpoint from a source of bytes into stores and validates the whole file.
///
/// It holds one frame in memory, and the records that the stores accept within their limits.
struct CheckpointReader {
    /// Returns up to this many bytes: fewer only at the end.
    private let read: (Int) throws -> [UInt8]
    private var frames: UInt64 = 0
    /// The states of stages, after `records`.
    private(set) var stages: [SavedStage] = []

    /// Reads the preamble; `read` gives as many bytes as asked for, fewer only at the end of the file.
    init(from read: @escaping (Int) throws -> [UInt8]) throws {
        self.read = read
        var preamble = PayloadCursor(try read(CheckpointFormat.preambleSize))
        guard try preamble.bytes(CheckpointFormat.magic.count) == CheckpointFormat.magic else {
            throw CheckpointFailure("it is not a checkpoint")
        }
        let version: UInt32 = try preamble.number()
        guard version == CheckpointFormat.version else {
            throw CheckpointFailure(
                "it has version \(version), but this program reads version \(CheckpointFormat.version)")
        }
    }

    /// Reads the header.
    mutating func header() throws -> CheckpointFormat.Header {
        guard case (.header, var payload) = try self.frame() else { throw CheckpointFailure("it has no header") }
        let definition = try payload.text()
        let cursor = EntryID(milliseconds: try payload.number(), sequence: try payload.number())
        let bookmark = try payload.text()
        try payload.end()
        return CheckpointFormat.Header(definition: definition, cursor: cursor, bookmark: bookmark)
    }

    /// Reads all records into the stores, which must be empty; the file must contain each store and no others.
    ///
    /// If something is wrong, the records read so far stay in the stores.
    mutating func records(into stores: [any CheckpointedStore], cursor: EntryID) throws {
        var missing = Dictionary(uniqueKeysWithValues: stores.map { ($0.name, $0) })
        var loader: (any RecordLoading)?
        var total: UInt64 = 0
        while true {
            let (kind, frame) = try self.frame()
            var payload = frame
            switch kind {
            case .header: throw CheckpointFailure("it has two headers")
            case .store:
                let frame = try Self.store(&payload)
                guard let store = missing.removeValue(forKey: frame.name), store.keyField == frame.keyField else {
                    throw CheckpointFailure(
                        "it has a store \(frame.name) that the pipeline does not have, or has it twice")
                }
                loader = try store.makeLoader(fields: frame.fields, upTo: cursor)
            case .records:
                guard let loader else { throw CheckpointFailure("it has records before a store") }
                total += UInt64(try loader.load(payload.storage, in: payload.offset..<payload.limit))
            case .stage: try self.addStage(&payload)
            case .end:
                let expected: UInt64 = try payload.number()
                try payload.end()
                guard expected == total, try self.read(1).isEmpty else {
                    throw CheckpointFailure("its end does not match its content")
                }
                if let store = missing.keys.min() { throw CheckpointFailure("it has no store \(store)") }
                return
            }
        }
    }

    /// Reads the states of stages and validates the rest of the file without loading any record.
    mutating func stagesAlone() throws {
        while true {
            let (kind, frame) = try self.frame()
            var payload = frame
            switch kind {
            case .header: throw CheckpointFailure("it has two headers")
            case .store, .records: break
            case .stage: try self.addStage(&payload)
            case .end:
                guard try self.read(1).isEmpty else { throw CheckpointFailure("its end does not match its content") }
                return
            }
        }
    }

    /// Adds a part of a stage's state.
    private mutating func addStage(_ payload: inout PayloadCursor) throws {
        let name = try payload.text()
        let bytes = try payload.bytes(payload.limit - payload.offset)
        guard let last = self.stages.indices.last, self.stages[last].name == name else {
            guard !self.stages.contains(where: { $0.name == name }) else {
                throw CheckpointFailure("it has the state of the stage \(name) twice")
            }
            return self.stages.append(SavedStage(name: name, state: bytes))
        }
        guard self.stages[last].state.count + bytes.count <= StageStateLimits.bytes else {
            throw CheckpointFailure("the state of the stage \(name) is too large")
        }
        self.stages[last].state += bytes
    }

    private static func store(_ payload: inout PayloadCursor) throws -> CheckpointFormat.Store {
        let name = try payload.text()
        let keyField = try payload.text()
        let count: UInt32 = try payload.number()
        guard count < RecordLoader.nameLimit else { throw CheckpointFailure("a store has too many fields") }
        var fields: [String] = []
        for _ in 0..<count { fields.append(try payload.text()) }
        try payload.end()
        return CheckpointFormat.Store(name: name, keyField: keyField, fields: fields)
    }

    private mutating func frame() throws -> (CheckpointFormat.Kind, PayloadCursor) {
        var bytes = try self.read(CheckpointFormat.frameHeaderSize)
        var head = PayloadCursor(bytes)
        let (number, count): (UInt32, UInt32) = (try head.number(), try head.number())
        guard let kind = CheckpointFormat.Kind(rawValue: number), count <= CheckpointFormat.frameLimit else {
            throw CheckpointFailure("it is damaged: frame \(self.frames) is of an unknown kind, or too large")
        }
        let rest = try self.read(Int(count) + CheckpointFormat.frameTrailerSize)
        guard rest.count == Int(count) + CheckpointFormat.frameTrailerSize else {
            throw CheckpointFailure("it is truncated in frame \(self.frames)")
        }
        bytes += rest
        var trailer = PayloadCursor(bytes, from: bytes.count - CheckpointFormat.frameTrailerSize, to: bytes.count)
        let end = bytes.count - CheckpointFormat.frameTrailerSize
        let expected: UInt64 = try trailer.number()
        guard XXHash64.hash(unsafe bytes.span.bytes.extracting(0..<end), seed: self.frames) == expected else {
            throw CheckpointFailure("it is damaged: the checksum of frame \(self.frames) is wrong")
        }
        self.frames += 1
        return (kind, PayloadCursor(bytes, from: CheckpointFormat.frameHeaderSize, to: end))
    }
}

extension PayloadCursor {
    /// The next text.
    mutating func text() throws -> String {
        let count: UInt32 = try self.number()
        guard count <= CheckpointFormat.textLimit,
            let text = String(validating: try self.bytes(Int(count)), as: UTF8.self)
        else { throw CheckpointFailure("it is damaged: a string is too long or not UTF-8") }
        return text
    }

    /// Checks that all is read.
    func end() throws {
        guard self.isAtEnd else { throw CheckpointFailure("it is damaged: a frame has extra bytes") }
    }
}
