public import StageKit

/// A store whose snapshots a checkpoint saves and restores; its `retention` is `checkpoint`.
///
/// A checkpoint keeps records, which only the store reads: a record is bytes, at most `recordLimit`, in which fields
/// have numbers. The store is saved in parts, while it changes. Each part is as of some moment after the position of the
/// source was read, so it contains at least every entry up to that position.
public protocol CheckpointedStore: SnapshotStore {
    /// The names of the fields, by the numbers that records use. Read before the records of a checkpoint.
    var recordFields: [String] { get }

    /// The number of parts, which does not change.
    var recordParts: Int { get }

    /// Appends the records of a part, each preceded by its number of bytes: four bytes, the lowest first.
    ///
    /// - Parameters:
    ///   - part: The number of the part, from 0.
    ///   - fields: The number of fields in the checkpoint: field numbers from there on must not occur.
    ///   - bytes: Receives the records.
    /// - Returns: The number of records.
    func appendRecords(ofPart part: Int, fields: Int, to bytes: inout [UInt8]) -> Int

    /// Begins to restore the store, which is empty.
    ///
    /// - Parameters:
    ///   - fields: The names of the fields by the numbers that the records use.
    ///   - cursor: The id up to which the records contain every entry. A key without a record was removed, or did not
    ///     exist, so no entry up to there may change it.
    /// - Returns: The loader of the records.
    /// - Throws: `CheckpointFailure` if such records cannot be restored.
    func makeLoader(fields: [String], upTo cursor: EntryID) throws -> any RecordLoading
}

/// Restores the records of a store from a checkpoint. Used by one thread.
public protocol RecordLoading {
    /// Restores records, in the form in which `CheckpointedStore.appendRecords` has appended them.
    ///
    /// - Parameters:
    ///   - bytes: Bytes whose checksum is right; they may still come from another program, and must be checked.
    ///   - range: The range of the records in the bytes.
    /// - Returns: The number of records.
    /// - Throws: `CheckpointFailure` if the records are malformed or exceed the store's limits. The store is emptied
    ///   then.
    func load(_ bytes: [UInt8], in range: Range<Int>) throws -> Int
}

/// The limits of records in a checkpoint.
public enum CheckpointLimits {
    /// The maximum size of a record in bytes: a loader holds one frame of the file in memory.
    public static let recordBytes = 512 << 10
}

extension CheckpointedStore {
    /// This store.
    public var checkpointed: (any CheckpointedStore)? { self }
}
