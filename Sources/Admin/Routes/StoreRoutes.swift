import ComponentKit
import Hummingbird
import StageKit

/// The routes of the stores:
/// - `/v1/stores/{store}/{key}`: a snapshot; 404 if there is none, 503 if the store is stale. With `?allow=NAME`, also
///   403 if the snapshot does not meet the store's condition of that name.
/// - `/v1/stores/{store}?index=FIELD&value=VALUE`: the snapshots with a value in an indexed field (`IndexQuery`).
/// - `/v1/export/{store}`: all snapshots, one line of JSON each, in no particular order; ends early if the store
///   becomes stale.
/// - `/v1/explain/{store}/{key}`: the history of a key, for people, without the values of secret fields.
///
/// The key is one segment of the path, percent-decoded byte for byte: `%2F` is a slash within it, `+` a plus, and bytes
/// that are not UTF-8 are written like any others (`%FF`). Everything outside ASCII must be percent-encoded.
struct StoreRoutes {
    /// Provides the stores.
    let context: AdminContext
    /// Exports whole stores.
    let exporter: SnapshotExporter

    /// Adds the routes.
    func add(to router: AdminRouter) {
        self.addExplanations(to: router)
        router.get("v1/export/:store") { http, request in
            try Self.checkParts(http)
            let (name, store) = try self.store(request)
            if store.remote != nil {
                throw AdminFailure.notFound("the store \(name) is on a Redis server: list its keys there (SCAN)")
            }
            return try self.exporter.response(for: store, types: self.context.fieldTypes()) { self.refusal(name) }
        }
        // Without a query not an export: a gateway that inserts an empty key, and maybe a server that removes the last
        // slash, must not get 200.
        router.get("v1/stores/:store") { http, request in
            try Self.checkParts(http)
            if let query = try IndexQuery(http) {
                let (name, store) = try self.store(request)
                if let refusal = self.refusal(name) { throw refusal }
                let line = try query.response(from: store, types: self.context.fieldTypes())
                // Checked again, as for a single key.
                if let refusal = self.refusal(name) { throw refusal }
                return .json(line)
            }
            let name = try Self.bytes(request.parameters.require("store"))
            throw AdminFailure.badRequest(
                "name a key: /v1/stores/STORE/KEY; all snapshots are at /v1/export/\(PercentCoding.encode(name))")
        }
        router.get("v1/stores/:store/:key", isUrgent: true) { http, request in
            try Self.checkParts(http)
            let (name, store) = try self.store(request)
            let key = try Self.bytes(request.parameters.require("key"))
            let condition = try Self.condition(http, of: store)
            if let refusal = self.refusal(name) { throw refusal }
            let found = try await Self.snapshot(under: key, of: store, name)
            // Checked again: if the store became stale or was being filled during the lookup, the result must not be
            // returned.
            if let refusal = self.refusal(name) { throw refusal }
            guard let snapshot = found else {
                throw AdminFailure.notFound("the store \(name) has no snapshot under this key")
            }
            if let condition, !condition.value.holds(for: snapshot) {
                throw AdminFailure(
                    status: .forbidden, code: "refused",
                    message: "the snapshot does not meet the condition \(condition.name) of the store \(name)")
            }
            var line: [UInt8] = []
            SnapshotJSON.append(snapshot, types: self.context.fieldTypes(), to: &line)
            line.append(UInt8(ascii: "\n"))
            return .json(line)
        }
    }

    /// Returns the reason why a store must not answer now, or `nil` if it may.
    private func refusal(_ store: String) -> AdminFailure? {
        self.context.staleness(store).map { .unavailable("stale", $0) }
    }

    /// Returns the condition that the query names, or `nil` if it names none.
    ///
    /// A lookup without a condition must not pass for one with a condition, so other queries are refused.
    private static func condition(
        _ request: Request, of store: any SnapshotStore
    ) throws(AdminFailure) -> NamedSetting<ConditionSettings>? {
        let halves = request.head.path?.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let query = halves?.dropFirst().first else { return nil }
        let parts = query.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "allow", let bytes = PercentCoding.decode(String(parts[1])) else {
            throw .badRequest("unknown query \"\(query)\": a lookup has no parameter but allow=CONDITION")
        }
        let name = String(decoding: bytes, as: UTF8.self)
        let conditions = store.conditional?.conditions ?? []
        if let condition = conditions.first(where: { $0.name == name }) { return condition }
        let hint = Nearest.hint(for: name, among: conditions.map(\.name))
        throw .badRequest(
            "the store \(store.name) has no condition \"\(name)\"\(hint); declare conditions in the settings of the store"
        )
    }

    /// Returns the snapshot under a key; queries the server of a remote store.
    private static func snapshot(
        under key: [UInt8], of store: any SnapshotStore, _ name: String
    ) async throws -> Snapshot? {
        guard let store = store.remote else { return store.snapshot(for: key.span) }
        do {
            return try await store.lookUp(key)
        } catch {
            throw AdminFailure.unavailable("unreachable", "cannot query the store \(name): \(error)")
        }
    }

    /// Adds the explain route; it is separate from lookups, because gateways depend on those.
    private func addExplanations(to router: AdminRouter) {
        router.get("v1/explain/:store") { http, _ in
            try Self.checkParts(http)
            throw AdminFailure.notFound("a key is missing: /v1/explain/STORE/KEY")
        }
        router.get("v1/explain/:store/:key") { http, request in
            try Self.checkParts(http)
            let (name, _) = try self.store(request)
            let key = try Self.bytes(request.parameters.require("key"))
            return .json(Array((self.context.explain(name, key) + "\n").utf8))
        }
    }

    /// Refuses a path with an empty segment: the library drops it, and a lookup of an empty key would become an export.
    private static func checkParts(_ request: Request) throws {
        let path = (request.head.path ?? "").prefix { $0 != "?" }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        if parts.last?.isEmpty == true, parts.dropLast().allSatisfy({ !$0.isEmpty }) {
            throw AdminFailure.badRequest("the key is empty: remove the last /, or add a key after it")
        }
        if parts.contains(where: \.isEmpty) {
            throw AdminFailure.badRequest("the path has an empty segment: store and key must not be empty")
        }
    }

    private func store(_ request: AdminRouter.Context) throws -> (name: String, store: any SnapshotStore) {
        let name = try String(decoding: Self.bytes(request.parameters.require("store")), as: UTF8.self)
        if let store = self.context.stores[name] { return (name, store) }
        throw AdminFailure.notFound("there is no store \(name); \(Self.names(self.context.stores.keys.sorted()))")
    }

    private static func names(_ names: [String]) -> String {
        names.isEmpty ? "the pipeline has none" : "the pipeline has \(names.joined(separator: ", "))"
    }

    private static func bytes(_ segment: String) throws -> [UInt8] {
        guard let bytes = PercentCoding.decode(segment) else {
            throw AdminFailure.badRequest(
                "after % there must be two hexadecimal digits, and bytes outside ASCII must be percent-encoded")
        }
        return bytes
    }
}

/// Percent-encoding of path segments.
///
/// Source: RFC 3986, section 2.1.
enum PercentCoding {
    /// Returns the decoded bytes of a segment, or `nil` if a `%` is not followed by two hexadecimal digits or a byte is
    /// not ASCII. The server has already replaced raw bytes that were not UTF-8, so the original bytes are unknown.
    static func decode(_ segment: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = segment.utf8[...]
        while let byte = rest.popFirst() {
            guard byte < 0x80 else { return nil }
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(self.digit), let low = rest.popFirst().flatMap(self.digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// Returns a segment that stands for these bytes: letters, digits, `-`, `.`, `_` and `~` as they are.
    static func encode(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let isPlain = (byte < 0x80 && Character(UnicodeScalar(byte)).isLetter) || (0x30...0x39).contains(byte)
            if isPlain || "-._~".utf8.contains(byte) { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return byte < 16 ? "%0\(digits)" : "%\(digits)"
        }.joined()
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
