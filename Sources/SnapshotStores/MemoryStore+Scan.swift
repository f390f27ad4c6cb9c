import StageKit
import Synchronization

// Lists keys in small steps while the store changes.
extension MemoryStore {
    /// Lines of a table that are read while changes wait: some microseconds.
    private static let linesPerLock = 16
    /// Bits of a cursor for the hash prefix; the shard's number is above them.
    private static let prefixBits: UInt64 = 24

    /// Calls `body` with some keys, and returns the cursor of the next call, 0 after the last key.
    ///
    /// A key that is in the store from the first call to the last is listed; one that is added or removed meanwhile may
    /// or may not be. No key is listed twice, unless it is removed and added again. The order is that of the keys'
    /// hashes, so the growth of a table does not matter. A cursor is valid in this process only.
    ///
    /// - Parameters:
    ///   - cursor: 0, or the result of the previous call.
    ///   - count: The call ends after this number of keys, give or take those with neighbouring hashes.
    ///   - lines: The call ends after reading this number of lines of the tables, even if it has found nothing.
    ///   - body: Called with each key; it must not use the store.
    package func scan(from cursor: UInt64, count: Int, lines: Int, _ body: (Span<UInt8>) -> Void) -> UInt64 {
        var prefix = cursor & (SlotTable.prefixes - 1)
        guard var shard = Int(exactly: cursor >> Self.prefixBits) else { return 0 }
        var (found, read) = (0, 0)
        while shard < self.shards.count {
            while prefix < SlotTable.prefixes {
                if found >= count || read >= lines { return UInt64(shard) << Self.prefixBits | prefix }
                let step = self.changes.withLock { _ in
                    self.scanStep(shard, from: prefix, count: count - found, lines: lines - read, body)
                }
                prefix = step.next
                found += step.found
                read += step.lines
            }
            prefix = 0
            shard += 1
            // An empty shard is read too.
            read += 1
        }
        return 0
    }

    /// Lists the keys of some lines; the caller must hold `changes`.
    private func scanStep(
        _ shard: Int, from prefix: UInt64, count: Int, lines: Int, _ body: (Span<UInt8>) -> Void
    ) -> (next: UInt64, found: Int, lines: Int) {
        let table = self.shards.table(shard)
        let limit = min(lines, Self.linesPerLock)
        var (next, found, read) = (prefix, 0, 0)
        repeat {
            let step = table.scan(from: next) { slot in
                let record = self.records.record(slot.location)
                if record.isTrace { return }
                found += 1
                body(unsafe record.unsafeBytes(record.keyRange).span)
            }
            next = step.next
            read += step.lines
        } while next < SlotTable.prefixes && found < count && read < limit
        return (next, found, read)
    }

    /// The name of a field by its number (`SnapshotView.forEachField`), or an empty text if it is not a field of the
    /// graph.
    public func fieldName(_ number: Int) -> String {
        self.names.withLock { number < $0.names.count ? $0.names[number] : "" }
    }
}
