import StageKit
import Testing

@testable import Admin

/// Lookups by an indexed field.
@Suite(.timeLimit(.minutes(10))) struct IndexTests {
    /// Three snapshots of which two have the number 5, and one with a value that has to be encoded.
    private static let store = FixedStore(
        "s",
        [("b", "5"), ("a", "5"), ("c", "6"), ("d", "a/b c+é&=")].map { key, value in
            Snapshot(
                entryID: EntryID(milliseconds: 7, sequence: 0), key: Array(key.utf8),
                fields: [Snapshot.Field(name: "n", bytes: Array(value.utf8))])
        })

    private func get(
        _ target: String, stale: String? = nil, access: AdminAccess = AdminAccess(), token: String? = nil
    ) async throws -> (status: Int, body: String) {
        let context = AdminFixture.context(stores: [Self.store], stale: stale)
        return try await AdminFixture.serve(context, access: access) { address in
            let headers = token.map { ["Authorization: Bearer \($0)"] } ?? []
            let lines = ["GET \(target) HTTP/1.1", "Host: localhost"] + headers + ["Connection: close"]
            let answer = try await RawClient.exchange(address, lines.joined(separator: "\r\n") + "\r\n\r\n")
            let response = try RawResponse(answer)
            return (response.status, response.body)
        }
    }

    private static func snapshot(_ key: String, _ value: String) -> String {
        #"{"key":"\#(key)","entry":"7-0","fields":{"n":"\#(value)"}}"#
    }

    @Test("The snapshots with a value are returned, each on a line, ordered by their keys")
    func found() async throws {
        let (a, b) = (Self.snapshot("a", "5"), Self.snapshot("b", "5"))
        let both = try await self.get("/v1/stores/s?index=n&value=5")
        #expect(both.status == 200)
        #expect(both.body == #"{"index":"n","value":"5","truncated":false,"snapshots":["# + "\n\(a),\n\(b)\n]}\n")
        let one = try await self.get("/v1/stores/s?limit=1&value=%35&index=n")
        #expect(one.body == #"{"index":"n","value":"5","truncated":true,"snapshots":["# + "\n\(a)\n]}\n")
        let none = try await self.get("/v1/stores/s?index=n&value=7")
        #expect(none.status == 200)
        #expect(none.body == #"{"index":"n","value":"7","truncated":false,"snapshots":["# + "\n]}\n")
        let encoded = try await self.get("/v1/stores/s?index=n&value=a%2Fb%20c+%C3%A9%26=")
        #expect(encoded.status == 200 && encoded.body.contains(#""key":"d""#))
    }

    @Test(
        "A query that is incomplete, unknown or out of range is refused",
        arguments: [
            ("index=n", "a value is missing"), ("index=n&value=", "a value is missing"),
            ("index&value=5", "unknown query"),
            ("index=n&value=5&x=1", "unknown query \\\"x=1\\\""), ("index=n&value=5&value=6", "value is given twice"),
            ("index=n&value=%zz", "unknown query"), ("index=n&value=5&limit=0", "limit: it must be from 1 to 1000"),
            ("index=n&value=5&limit=1001", "limit: it must be from 1 to 1000"), ("index=n&value=5&limit=x", "limit"),
            ("index=nn&value=5", "the store s has no index by \\\"nn\\\" (did you mean n?)"),
            ("value=5", "name a key"), ("", "name a key"), ("allow=five", "name a key"),
        ])
    func refused(query: String, message: String) async throws {
        let answer = try await self.get("/v1/stores/s?\(query)")
        #expect(answer.status == 400 && answer.body.contains(message), "\(answer.body)")
    }

    @Test("A stale store answers with 503, an unknown one with 404")
    func stale() async throws {
        let stale = try await self.get("/v1/stores/s?index=n&value=5", stale: "not confirmed")
        #expect(stale.status == 503 && stale.body.contains("not confirmed") && !stale.body.contains("snapshots"))
        #expect(try await self.get("/v1/stores/t?index=n&value=5").status == 404)
    }

    @Test("A lookup by an index needs the token for everything: one user's sessions are a part of an export")
    func rights() async throws {
        var access = AdminAccess()
        access.token = Array("everything-is-allowed".utf8)
        access.lookupToken = Array("only-single-lookups".utf8)
        let statuses = [("everything-is-allowed", 200), ("only-single-lookups", 403), ("neither-of-them", 401)]
        for (token, status) in statuses {
            let target = "/v1/stores/s?index=n&value=5"
            #expect(try await self.get(target, access: access, token: token).status == status)
        }
        // An index in the query of a key's lookup does not get around that.
        let around = try await self.get("/v1/stores/s/a?index=n&value=5", access: access, token: "only-single-lookups")
        #expect(around.status == 400)
    }
}

extension FixedStore: IndexedStore {
    /// The field `n`.
    var indexedFields: [LocatedName] { [LocatedName("n", at: SettingPosition(line: 1, column: 1))] }

    /// Compares all.
    func snapshots(by field: String, equal value: Span<UInt8>, limit: IndexLimit) -> IndexedSnapshots? {
        guard field == "n" else { return nil }
        let bytes = [UInt8](copying: value)
        var found: [Snapshot] = []
        self.forEachSnapshot { snapshot in
            if snapshot.fields.contains(where: { $0.name == field && $0.bytes == bytes }) { found.append(snapshot) }
        }
        found.sort { $0.key.lexicographicallyPrecedes($1.key) }
        return IndexedSnapshots(Array(found.prefix(limit.count)), isTruncated: found.count > limit.count)
    }

    /// `nil`: its content is fixed.
    func makeEnder(by field: String, issuedAt: LocatedName?) -> (any SnapshotEnder)? { nil }
}
