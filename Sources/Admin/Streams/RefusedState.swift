import ComponentKit
import Hummingbird
import NIOCore
import StageKit

/// What a store refuses now, as `/v1/revocations?state=all` sends it before the events that follow:
///
/// - `state`, `{"store":"sessions","condition":"active","complete":false}`: the state begins.
/// - `revocation` for each snapshot that does not meet the condition, and `eviction` with the reason `evicted` for
///   each evicted key that the store remembers; both without an id, in no order.
/// - `state` with `"complete":true`: the client may replace its list. Then `hello` and the events from the moment of
///   the request on, some of which the state may contain already.
///
/// `&store=NAME` names the store, and `&allow=NAME` the condition that allowed snapshots meet. By default it is the
/// store's only condition or, if the store declares none, that the field `status` is `active`.
struct RefusedState: Sendable {
    /// The field and the value of the default condition.
    private static let standard = (field: "status", value: "active")
    /// The snapshots between two signs of life, in case none of them is refused: about half a second of work.
    private static let beat = 1 << 18

    /// The store.
    let store: any ConditionalStore
    private let condition: String
    private let test: SnapshotTest

    /// Reads the parameters of a request; `nil` if it does not ask for the state.
    ///
    /// - Throws: `AdminFailure` for unknown parameters, and if the store or the condition cannot be used.
    init?(_ request: Request, _ context: AdminContext) throws(AdminFailure) {
        var names: [String: String] = [:]
        for (name, value) in request.uri.queryParameters {
            guard ["state", "store", "allow"].contains(name) else {
                throw .badRequest("unknown parameter \(name): expected state, store or allow")
            }
            guard names.updateValue(String(value), forKey: String(name)) == nil else {
                throw .badRequest("the parameter \(name) is there twice")
            }
        }
        guard let state = names["state"] else {
            if names.isEmpty { return nil }
            throw .badRequest("store and allow need state=all")
        }
        guard state == "all" else { throw .badRequest("unknown state \"\(state)\": it must be all") }
        self.store = try Self.store(names["store"], context)
        let named = try Self.condition(names["allow"], of: self.store)
        self.condition = named.name
        self.test = SnapshotTest(named.value)
    }

    private static func store(
        _ name: String?, _ context: AdminContext
    ) throws(AdminFailure) -> any ConditionalStore {
        let names = context.stores.keys.sorted()
        guard let name = name ?? (names.count == 1 ? names[0] : nil) else {
            throw .badRequest(
                names.isEmpty
                    ? "the pipeline has no store" : "name a store: store=NAME, one of \(names.joined(separator: ", "))")
        }
        guard let store = context.stores[name] else {
            throw .notFound("there is no store \(name)\(Nearest.hint(for: name, among: names))")
        }
        if let store = store.conditional { return store }
        throw .notFound("the store \(name) is not of type memory: only such a store knows what it refuses")
    }

    private static func condition(
        _ name: String?, of store: any ConditionalStore
    ) throws(AdminFailure) -> (name: String, value: ConditionSettings) {
        let known = store.conditions
        if let name {
            if let found = known.first(where: { $0.name == name }) { return (found.name, found.value) }
            let hint = Nearest.hint(for: name, among: known.map(\.name))
            throw .badRequest(
                "the store \(store.name) has no condition \"\(name)\"\(hint); conditions are declared beside its key")
        }
        if known.count == 1 { return (known[0].name, known[0].value) }
        if known.isEmpty, store.keptFields.contains(self.standard.field) {
            let (field, value) = self.standard
            return ("\(field): \(value)", .field(field, equals: value))
        }
        throw .badRequest(
            known.isEmpty
                ? "the store \(store.name) has no field \(self.standard.field): declare a condition beside its key, and"
                    + " name it with allow=NAME"
                : "name the condition that allowed snapshots meet: allow=NAME, one of "
                    + known.map(\.name).joined(separator: ", "))
    }

    /// The event that ends the state.
    var end: [UInt8] { self.marker(isComplete: true) }

    /// Writes the state, except for its end.
    ///
    /// - Parameters:
    ///   - pipe: Receives the pieces.
    ///   - isEnding: Returns whether the server is shutting down.
    /// - Throws: `ChunkPipe.Closed` if the client has gone or the server is shutting down.
    func write(to pipe: ChunkPipe, unless isEnding: () -> Bool) throws {
        var bytes = self.marker(isComplete: false)
        var count = 0
        func flush(atLeast size: Int) throws {
            if isEnding() { throw ChunkPipe.Closed() }
            count += 1
            if count % Self.beat == 0 { bytes += Array(EventText.comment.utf8) }
            guard bytes.count >= size || count % Self.beat == 0 else { return }
            try pipe.write(ByteBuffer(bytes: bytes))
            bytes.removeAll(keepingCapacity: true)
        }
        try self.store.forEachSnapshot { snapshot in
            if !self.test.holds(for: snapshot) {
                Self.append(snapshot.key, snapshot.entryID, reason: nil, to: &bytes)
            }
            try flush(atLeast: AdminLimits.exportChunkBytes)
        }
        try self.store.forEachEvictedKey { key, entry in
            Self.append(key, entry, reason: "evicted", to: &bytes)
            try flush(atLeast: AdminLimits.exportChunkBytes)
        }
        try flush(atLeast: 1)
    }

    private static func append(_ key: [UInt8], _ entry: EntryID, reason: String?, to bytes: inout [UInt8]) {
        let kind = reason.map { RevocationLog.Kind.eviction(reason: $0) } ?? .revocation
        let (name, data) = RevocationRoute.event(of: .init(number: 0, key: key, entry: entry, kind: kind))
        EventText.append(name, data: data, to: &bytes)
    }

    private func marker(isComplete: Bool) -> [UInt8] {
        var data = [UInt8(ascii: "{")]
        JSONText.appendMember("store", self.store.name, to: &data)
        data.append(UInt8(ascii: ","))
        JSONText.appendMember("condition", self.condition, to: &data)
        data += Array(",\"complete\":\(isComplete)}".utf8)
        var bytes: [UInt8] = []
        EventText.append("state", data: String(decoding: data, as: UTF8.self), to: &bytes)
        return bytes
    }
}
