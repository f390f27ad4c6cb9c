public import StageKit

/// Sets fields of an event to values of the snapshot that a store holds under a key.
public final class LookupStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "lookup",
        summary: "Adds values of a store's snapshot to the event.",
        settings: Settings.type,
        example: """
            lookup:
              store: orders
              key: order_id
              fields: { previous_amount: amount }
              missing: pass
            """,
        failureReason: "lookup_failure",
        waits: true)

    /// The maximum number of requests to a server in flight together: a pipeline that long hides the round trip.
    private static let requestsAtOnce = 256

    /// Where the value of a field comes from.
    private struct Source {
        var name: String
        var target: FieldID
        var fallback: [UInt8]?
    }

    private let key: FieldID
    private let keyName: String
    private let storeName: String
    private let sources: [Source]
    private let isRequired: Bool
    private let progress: ProgressReporter
    private let store: (any StageStore)?
    /// The store, if it is on a server: events then wait for the answer.
    private let awaited: (any AwaitedStore)?

    /// Creates the stage; it reads the key and provides the fields.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.key = setup.input(settings.key)
        self.keyName = settings.key.text
        self.progress = setup.progress
        self.storeName = settings.store.text
        self.store = setup.store(settings.store)
        self.awaited = self.store?.awaited
        if self.awaited == nil { setup.neverWaits() }
        if case .fail = settings.missing { self.isRequired = true } else { self.isRequired = false }
        self.sources = settings.fields.map { field in
            let fallback = settings.defaults?.first { $0.name == field.name }.map { Array($0.value.utf8) }
            return Source(
                name: field.value.text,
                target: setup.output(field.name, isSecret: setup.isSecret(field.value.text)), fallback: fallback)
        }
    }

    /// Sets the fields, or lets the event wait for a store on a server.
    public func process(_ event: inout Event) throws -> Verdict {
        guard let range = event.range(of: self.key) else {
            throw StageFailure("lookup: \(self.keyName) is missing")
        }
        if self.awaited != nil { return .wait }
        let snapshot = event.withBytes(range) { self.store?.snapshot(for: $0) }
        try self.apply(snapshot, to: &event)
        return .next
    }

    /// Requests the snapshots of all events together. An event fails if its request fails.
    public func complete(_ events: WaitingEvents) async throws {
        guard let store = self.awaited else { return }
        let keys = (0..<events.count).map { position in
            events.withEvent(at: position) { event in
                guard let range = event.range(of: self.key) else { return [UInt8]() }
                return event.withBytes(range) { bytes in bytes.indices.map { bytes[$0] } }
            }
        }
        var answers: [Result<Snapshot?, any Error>] = []
        while answers.count < keys.count {
            // One request opens the connection for the others.
            let count = answers.isEmpty ? 1 : min(Self.requestsAtOnce, keys.count - answers.count)
            let part = await Self.lookUp(keys[answers.count..<(answers.count + count)], in: store)
            answers += part
            self.progress.pulse()
            // A server that answers none of them is not asked for the rest of the batch.
            guard let last = part.last, part.allSatisfy(\.isFailure) else { continue }
            answers += Array(repeating: last, count: keys.count - answers.count)
        }
        for (position, answer) in answers.enumerated() {
            do throws(StageFailure) {
                try events.withEvent(at: position) { (event) throws(StageFailure) in
                    switch answer {
                    case .success(let snapshot): try self.apply(snapshot, to: &event)
                    case .failure(let error): throw StageFailure("lookup: \(self.storeName): \(error)")
                    }
                }
            } catch {
                events.fail(at: position, error)
            }
        }
    }

    private static func lookUp(
        _ keys: ArraySlice<[UInt8]>, in store: any AwaitedStore
    ) async -> [Result<Snapshot?, any Error>] {
        await withTaskGroup(of: (Int, Result<Snapshot?, any Error>).self) { group in
            for (index, key) in zip(keys.indices, keys) {
                group.addTask {
                    do {
                        return (index, .success(try await store.lookUp(key)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            var answers: [(Int, Result<Snapshot?, any Error>)] = []
            for await answer in group { answers.append(answer) }
            return answers.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func apply(_ snapshot: Snapshot?, to event: inout Event) throws(StageFailure) {
        if self.isRequired {
            guard let snapshot else {
                throw StageFailure("lookup: \(self.storeName) has no snapshot of \(self.keyName)")
            }
            for source in self.sources where !snapshot.fields.contains(where: { $0.name == source.name }) {
                throw StageFailure("lookup: the snapshot of \(self.keyName) has no \(source.name)")
            }
        }
        for source in self.sources {
            if let field = snapshot?.fields.first(where: { $0.name == source.name }) {
                event.set(source.target, copying: field.bytes)
                if let integer = field.integer, let range = event.range(of: source.target) {
                    event.set(source.target, integer: integer, range: range)
                }
            } else if let fallback = source.fallback {
                event.set(source.target, copying: fallback)
            } else {
                event.remove(source.target)
            }
        }
    }
}

extension Result {
    fileprivate var isFailure: Bool {
        if case .failure = self { true } else { false }
    }
}
