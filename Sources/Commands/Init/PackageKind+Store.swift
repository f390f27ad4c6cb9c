extension PackageKind {
    /// The store of a new package; also the one that the articles of StageKit explain.
    static let storeText = #"""
        public import ComponentKit
        public import StageKit

        /// Keeps snapshots in a dictionary, until the worker ends.
        public final class DictionaryStore: SnapshotStore {
            /// The settings under `dictionary` in the pipeline file.
            public struct Settings: Sendable {
                /// The field with the key.
                var key = ""
                /// The maximum number of keys, removed ones included.
                var maxEntries = 100_000
            }

            /// Name, settings and documentation, for all subcommands.
            public static let type = StoreType(
                name: "dictionary", summary: "Keeps snapshots in a dictionary, until the worker ends.",
                settings: .object(
                    SettingsSchema(
                        Settings(),
                        [
                            .required("key", \.key, .nonBlankText, "Field whose value is the key of a snapshot."),
                            .optional(
                                "max_entries", \.maxEntries, .integer(1...100_000_000), default: "100000",
                                "Maximum number of keys, removed ones included; further keys are refused."),
                        ])),
                bounds: ["max_entries"]
            ) { settings, setup in
                DictionaryStore(name: setup.name, settings)
            }

            /// The last change of a key: its entry, and the fields or `nil` if the key was evicted. Evicted keys are kept, so
            /// that no older entry restores them.
            struct LastChange: Sendable {
                /// The entry of the change.
                var entry: EntryID
                /// The fields of the snapshot, or `nil` if the key was evicted.
                var fields: [Snapshot.Field]?
            }

            /// The store's name in the file.
            public let name: String
            /// The field whose value is a snapshot's key.
            public let keyField: String
            /// The freshness, which the source writes and lookups check.
            public let freshness: Freshness? = Freshness()
            /// The content is lost when the worker ends, so the file cannot have a checkpoint.
            public let retention = StoreRetention.process
            private let maxEntries: Int
            private let changes = OrderedMutex<[[UInt8]: LastChange]>([:])

            /// Creates an empty store.
            public init(name: String, _ settings: Settings) {
                self.name = name
                self.keyField = settings.key
                self.maxEntries = settings.maxEntries
            }

            /// The number of snapshots.
            public var count: Int {
                self.changes.withLock { changes in changes.values.count { $0.fields != nil } }
            }

            /// Returns the snapshot under a key, or `nil` if there is none.
            public func snapshot(for key: Span<UInt8>) -> Snapshot? {
                let key = [UInt8](copying: key)
                return self.changes.withLock { Self.snapshot(key, $0[key]) }
            }

            /// Calls `body` with every snapshot, without holding the lock.
            public func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {
                let snapshots = self.changes.withLock { $0.compactMap { Self.snapshot($0.key, $0.value) } }
                for snapshot in snapshots { try body(snapshot) }
            }

            /// Removes all snapshots, and forgets evicted keys.
            public func removeAll() {
                self.changes.withLock { $0.removeAll() }
            }

            /// Creates a writer for events with the key and the fields in these columns.
            public func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
                DictionaryWriter(self, key: key, fields: fields)
            }

            private static func snapshot(_ key: [UInt8], _ last: LastChange?) -> Snapshot? {
                guard let last, let fields = last.fields else { return nil }
                return Snapshot(entryID: last.entry, key: key, fields: fields)
            }

            /// Changes a key, unless the store holds something newer. `fields` is `nil` for an eviction.
            func change(_ key: [UInt8], _ entry: EntryID, to fields: [Snapshot.Field]?) throws(StageFailure) -> StoreChange {
                try self.changes.withLock { (changes) throws(StageFailure) -> StoreChange in
                    if let held = changes[key] {
                        if entry < held.entry { return .older }
                        if entry == held.entry {
                            // The same entry may store a snapshot and then evict it, but not the other way around.
                            if (held.fields == nil) == (fields == nil) { return .repeated }
                            if fields != nil { return .older }
                        }
                    } else if changes.count >= self.maxEntries {
                        throw StageFailure("store \"\(self.name)\" is full: max_entries is \(self.maxEntries)")
                    }
                    changes[key] = LastChange(entry: entry, fields: fields)
                    return .applied
                }
            }
        }

        /// Changes the store event by event, on one thread at a time.
        final class DictionaryWriter: SnapshotWriter {
            private let store: DictionaryStore
            private let key: FieldID
            private let fields: [(name: String, field: FieldID)]

            /// Creates a writer for these columns.
            init(_ store: DictionaryStore, key: FieldID, fields: [(name: String, field: FieldID)]) {
                self.store = store
                self.key = key
                self.fields = fields
            }

            /// Does nothing: there is nothing to prefetch.
            func prepare(_ event: borrowing Event) {}

            /// Stores the event's snapshot, unless the store holds something newer.
            func upsert(_ event: borrowing Event) throws -> StoreChange {
                let key = try self.key(of: event)
                var fields: [Snapshot.Field] = []
                for (name, field) in self.fields {
                    guard let bytes = Self.bytes(of: field, event) else { continue }
                    fields.append(Snapshot.Field(name: name, bytes: bytes, integer: event.integer(of: field)))
                }
                return try self.store.change(key, event.orderID, to: fields)
            }

            /// Removes the snapshot under the event's key, unless the store holds something newer.
            func evict(_ event: borrowing Event) throws -> StoreChange {
                try self.store.change(self.key(of: event), event.orderID, to: nil)
            }

            private func key(of event: borrowing Event) throws(StageFailure) -> [UInt8] {
                if let key = Self.bytes(of: self.key, event) { return key }
                throw StageFailure("store \"\(self.store.name)\": the event has no \(self.store.keyField)")
            }

            private static func bytes(of field: FieldID, _ event: borrowing Event) -> [UInt8]? {
                event.withValue(of: field) { value -> [UInt8]? in
                    guard let value else { return nil }
                    return [UInt8](copying: value)
                }
            }
        }

        """#
}
