public import StageKit

/// Sets fields of an event to values of the snapshot that a store holds under a key, or of a Redis hash.
public final class LookupStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "lookup",
        summary: "Adds values of a store's snapshot or of a Redis hash to the event.",
        settings: Read.type,
        example: """
            lookup:
              store: orders
              key: order_id
              fields: { previous_amount: { field: amount, type: int64 } }
              missing: pass
            """,
        failureReason: "lookup_failure",
        waits: true, acceptsElements: true)

    /// The maximum number of events whose values are requested together: a pipeline that long hides the round trip, and
    /// no more answers are in memory at a time.
    private static let eventsAtOnce = 512

    /// The maximum length of the key of a hash in bytes: far above a useful one, and the limit of names that `publish`
    /// takes from events.
    private static let keyLimit = 1024

    /// The origin of the values.
    enum Source {
        /// A store in this process.
        case memory(any StageStore, key: FieldID)
        /// A store on a server: events wait for the answer.
        case server(any AwaitedStore, key: FieldID)
        /// Hashes on a server.
        case hashes(any HashReader, key: ResolvedTemplate)
    }

    /// The values that were found under a key, by the numbers of the stage's fields.
    struct Found {
        /// Whether there is a snapshot. A hash that does not exist has no values.
        var exists: Bool
        var values: [Snapshot.Field?]
    }

    let source: Source?
    let fields: [LookedUpField]
    private let isRequired: Bool
    private let usesStale: Bool
    /// The field with the key, or the template of the key, for messages.
    private let keyName: String
    /// The store's name, or that of a hash, for messages.
    let originName: String
    let requestedFields: [[UInt8]]
    let progress: ProgressReporter
    /// Whether a request to a store on a server was answered: then its connection is open.
    var isConnected = false

    /// Creates the stage; it reads the key and provides the fields.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.progress = setup.progress
        let untyped: FieldType
        switch settings.origin {
        case .store(let name, let key):
            let column = setup.input(key)
            let store = setup.storeToRead(name)
            if let awaited = store?.awaited {
                self.source = .server(awaited, key: column)
            } else {
                self.source = store.map { Source.memory($0, key: column) }
                setup.neverWaits()
            }
            self.keyName = key.text
            self.originName = name.text
            untyped = .unknown
        case .hash(let template):
            let key = template.resolve(setup)
            self.source = setup.hashReader().map { Source.hashes($0, key: key) }
            self.keyName = template.text
            self.originName = "hash \(template.text)"
            untyped = .text
        }
        if case .fail = settings.missing { self.isRequired = true } else { self.isRequired = false }
        if case .use = settings.stale { self.usesStale = true } else { self.usesStale = false }
        self.fields = settings.fields.map { field in
            let fallback = settings.defaults.first { $0.name == field.name }?.value.text
            return LookedUpField(field, fallback: fallback, untyped: untyped, setup)
        }
        self.requestedFields = self.fields.map { Array($0.name.utf8) }
    }

    /// Sets the fields, or lets the event wait for a server.
    public func process(_ event: inout Event) throws -> Verdict {
        guard case .memory(let store, let key) = self.source else { return .wait }
        guard let range = event.range(of: key) else { throw self.missingKey }
        guard range.length > 0 else { throw self.emptyKey }
        try self.checkFreshness(of: store)
        let snapshot = event.withBytes(range) { store.snapshot(for: $0) }
        // After the lookup too: a store that was emptied meanwhile is being filled now.
        try self.checkFreshness(of: store)
        try self.apply(self.found(snapshot), to: &event)
        return .next
    }

    /// Requests the values of all events together. An event fails if its request fails.
    public func complete(_ events: WaitingEvents) async throws {
        var start = 0
        var outage: StageFailure?
        while start < events.count {
            let part = start..<min(start + Self.eventsAtOnce, events.count)
            start = part.upperBound
            if let outage {
                for position in part { events.fail(at: position, outage) }
            } else {
                // A server that answers none of them is not asked for the rest of the batch.
                outage = try await self.complete(events, part)
            }
            self.progress.pulse()
        }
    }

    /// Requests the values of some of the events, each key once.
    ///
    /// - Returns: The failure of all of them if the server does not answer, otherwise `nil`.
    private func complete(_ events: WaitingEvents, _ part: Range<Int>) async throws -> StageFailure? {
        var keys: [[UInt8]] = []
        var numbers: [[UInt8]: Int] = [:]
        var requests: [(position: Int, number: Int)] = []
        for position in part {
            do throws(StageFailure) {
                let key = try events.withEvent(at: position) { (event) throws(StageFailure) in try self.key(of: event) }
                let number = numbers[key] ?? keys.count
                if number == keys.count {
                    keys.append(key)
                    numbers[key] = number
                }
                requests.append((position, number))
            } catch {
                events.fail(at: position, error)
            }
        }
        if keys.isEmpty { return nil }
        let (answers, isOutage) = try await self.answers(to: keys)
        var last: StageFailure?
        for (position, number) in requests {
            do throws(StageFailure) {
                let found = try answers[number].get()
                try events.withEvent(at: position) { (event) throws(StageFailure) in
                    try self.apply(found, to: &event)
                }
            } catch {
                last = error
                events.fail(at: position, error)
            }
        }
        return isOutage ? last : nil
    }

    /// Returns the key of an event.
    private func key(of event: borrowing Event) throws(StageFailure) -> [UInt8] {
        switch self.source {
        case .memory(_, let key), .server(_, let key):
            guard let range = event.range(of: key) else { throw self.missingKey }
            guard range.length > 0 else { throw self.emptyKey }
            return event.withBytes(range) { [UInt8](copying: $0) }
        case .hashes(_, let template):
            var bytes: [UInt8] = []
            do throws(TemplateFailure) {
                try template.append(event, to: &bytes, limit: Self.keyLimit, missing: .refuse)
            } catch {
                throw StageFailure("lookup: \(self.originName): \(error.message)")
            }
            return bytes
        case nil: throw self.missingKey
        }
    }

    private var missingKey: StageFailure { StageFailure("lookup: \(self.keyName) is missing") }

    /// No snapshot has such a key, so a missing one would prove nothing.
    private var emptyKey: StageFailure { StageFailure("lookup: \(self.keyName) is empty") }

    /// Throws if the store may lack earlier entries, unless the settings accept that.
    func checkFreshness(of store: any StageStore) throws(StageFailure) {
        guard !self.usesStale, let doubt = store.lookupDoubt else { return }
        throw StageFailure("lookup: \(self.originName): \(doubt)")
    }

    /// Sets the fields. Before the first one is set, all values are known to be present and of the right type.
    private func apply(_ found: Found, to event: inout Event) throws(StageFailure) {
        if self.isRequired, !found.exists {
            throw StageFailure("lookup: \(self.originName) has no snapshot of \(self.keyName)")
        }
        var values: [(bytes: [UInt8], value: FieldValue)?] = []
        var size = 0
        for (field, value) in zip(self.fields, found.values) {
            guard let value else {
                if self.isRequired { throw self.missing(field) }
                size += field.fallbackSize
                values.append(nil)
                continue
            }
            size += value.bytes.count
            values.append((bytes: value.bytes, value: try field.read(value, in: self.originName)))
        }
        guard size <= event.room else {
            throw StageFailure("lookup: \(self.originName): the values of the batch's events are too large")
        }
        for (field, value) in zip(self.fields, values) { field.set(value, on: &event) }
    }

    private func missing(_ field: LookedUpField) -> StageFailure {
        if case .hashes = self.source { return StageFailure("lookup: \(self.originName) has no \(field.name)") }
        return StageFailure("lookup: the snapshot of \(self.keyName) has no \(field.name)")
    }
}
