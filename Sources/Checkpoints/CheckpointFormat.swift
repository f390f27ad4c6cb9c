import ComponentKit
import SnapshotStores
import StageKit

/// The format of a checkpoint file.
///
/// ```
/// "SLUICECP", version (4 bytes)
/// frames: kind (4), number of payload bytes (4), payload, XXH64 of kind, number and payload (8), seeded with the
///         frame's offset in the file
///   header    once, first: definition, cursor (16), position        (texts as number of bytes (4), bytes)
///   store     once for each: name, key field, number of fields (4), names of the fields
///   records   those of the preceding store frame: for each its number of bytes (4) and its bytes, which only the store
///             reads. Those of a memory store are of `PackedRecord` without its marks, the fields numbered as the store
///             frame lists them
///   stage     after the stores: name of a stage, and bytes of its state; a state may have several frames in a row
///   end       once, last: number of records in the file (8); nothing follows
/// ```
/// Numbers are little-endian.
enum CheckpointFormat {
    /// The first bytes of a file.
    static let magic = Array("SLUICECP".utf8)
    /// The version written and read.
    static let version: UInt32 = 1
    /// Bytes before the first frame.
    static let preambleSize = 12
    /// Bytes of a frame before its payload.
    static let frameHeaderSize = 8
    /// Bytes of a frame after its payload.
    static let frameTrailerSize = 8
    /// A frame of records is closed when it has at least this many bytes.
    static let recordsFrameSize = 1 << 20
    /// The largest payload: a frame of records, one record beyond its size, and the bytes before it.
    static let frameLimit = recordsFrameSize + CheckpointLimits.recordBytes + 8
    /// The bytes of a stage's state in one frame.
    static let stageFrameSize = 1 << 20
    /// The longest text: names, positions.
    static let textLimit = 64 << 10

    /// The content of a frame.
    enum Kind: UInt32 {
        case header = 1
        case store = 2
        case records = 3
        case end = 4
        case stage = 5
    }

    /// The content of the header.
    struct Header: Equatable {
        /// The digest of the part of the pipeline file that determines the contents of the stores.
        var definition: String
        /// The bookmark up to which all entries are in the stores.
        var cursor: EntryID
        /// The information that the source needs to continue.
        var bookmark: String
    }

    /// The content of a store's frame.
    struct Store: Equatable {
        /// The store's name.
        var name: String
        /// The field whose value is the key.
        var keyField: String
        /// The names of the fields by number.
        var fields: [String]
    }
}

extension [UInt8] {
    /// Appends a text in the file's format.
    mutating func append(text: String) {
        self.append(number: UInt32(text.utf8.count))
        self.append(contentsOf: text.utf8)
    }
}
