public import StageKit

// The index of the store: every snapshot is compared.
extension RecordingStore: IndexedStore {
    /// This store, or `nil` if it was created without indexed fields.
    public var indexed: (any IndexedStore)? { self.indexedFields.isEmpty ? nil : self }

    /// Returns the snapshots with a value in an indexed field; the limit of bytes is ignored.
    public func snapshots(
        by field: String, equal value: Span<UInt8>, limit: IndexLimit
    ) -> IndexedSnapshots? {
        guard self.indexedFields.contains(where: { $0.text == field }) else { return nil }
        let found = self.held(field, [UInt8](copying: value))
        return IndexedSnapshots(Array(found.prefix(limit.count)), isTruncated: found.count > limit.count)
    }

    /// Creates an ender, which records an eviction for each snapshot that it ends.
    public func makeEnder(by field: String, issuedAt: LocatedName?) -> (any SnapshotEnder)? {
        guard self.indexedFields.contains(where: { $0.text == field }) else { return nil }
        return Ender(store: self, field: field, issuedAt: issuedAt?.text)
    }

    /// The snapshots with a value, ordered by their keys.
    private func held(_ field: String, _ value: [UInt8]) -> [Snapshot] {
        var found: [Snapshot] = []
        self.forEachSnapshot { snapshot in
            if snapshot.fields.contains(where: { $0.name == field && $0.bytes == value }) { found.append(snapshot) }
        }
        return found.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    private final class Ender: SnapshotEnder {
        private let store: RecordingStore
        private let field: String
        private let issuedAt: String?
        private var entry = EntryID.zero
        private var found: [Snapshot] = []

        init(store: RecordingStore, field: String, issuedAt: String?) {
            self.store = store
            self.field = field
            self.issuedAt = issuedAt
        }

        func begin(_ event: borrowing Event, value: ByteRange, issuedBefore: FieldID?) throws {
            var limit: Int64?
            if let issuedBefore {
                limit = event.integer(of: issuedBefore) ?? event.text(of: issuedBefore).flatMap { Int64($0) }
                if limit == nil { throw StageFailure("not a time: expected milliseconds since 1970") }
            }
            let entry = event.orderID
            self.entry = entry
            self.found = self.store.held(self.field, event.copy(value)).filter { snapshot in
                guard snapshot.entryID < entry else { return false }
                guard let limit else { return true }
                guard let issuedAt = self.issuedAt else { return snapshot.entryID.milliseconds < UInt64(limit) }
                let field = snapshot.fields.first { $0.name == issuedAt }
                let time = field?.integer ?? field.flatMap { Int64(String(decoding: $0.bytes, as: UTF8.self)) }
                return time.map { $0 < limit } ?? true
            }
        }

        func end(_ limit: inout IndexLimit, _ body: (Span<UInt8>) -> Void) -> Bool {
            while let snapshot = self.found.first {
                if limit.count <= 0 { return false }
                self.found.removeFirst()
                guard (try? self.store.change(key: snapshot.key, id: self.entry, to: nil)) == .applied else { continue }
                limit.count -= 1
                body(snapshot.key.span)
            }
            return true
        }

        func announced() {}
    }
}
