import CommandSupport
import Foundation
import NIOCore

/// An indexed field and a value of it, `FIELD=VALUE`, for which `sluice lookup` prints the snapshots.
struct IndexedValue: Equatable {
    /// The name of the field.
    var field: String
    /// The value.
    var value: String

    /// Reads the text; returns `nil` if it has no `=`, or nothing before or after it.
    init?(_ text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        self.field = String(parts[0])
        self.value = String(parts[1])
    }

    /// Writes the snapshots in a worker's store, one line each.
    ///
    /// - Throws: `AdminClient.Failure` if there are none, or the worker refuses the lookup.
    func write(from store: String, limit: Int?, _ client: AdminClient) async throws {
        var path = "/v1/stores/\(AdminClient.encoded(store))?index=\(AdminClient.encoded(self.field))"
        path += "&value=\(AdminClient.encoded(self.value))"
        if let limit { path += "&limit=\(limit)" }
        let (status, answer) = try await client.answer(path)
        guard status == 200 else { throw AdminClient.Failure(description: AdminClient.refusal(answer)) }
        let (lines, isTruncated) = try Self.lines(AdminClient.line(answer))
        if lines.isEmpty {
            throw AdminClient.Failure(
                description: "the store \(store) has no snapshot with \(self.field) \"\(self.value)\"")
        }
        for line in lines { try Terminal.result(line) }
        if isTruncated {
            Terminal.report("sluice: there are more snapshots: give a greater --limit, or use sluice export")
        }
    }

    /// Returns the snapshots in a response, as they are written there, and whether there are more.
    ///
    /// Each snapshot has a line of its own. Reading numbers and writing them again could change digits.
    ///
    /// - Throws: `AdminClient.Failure` if the response has another form.
    static func lines(_ answer: String) throws -> (snapshots: [String], isTruncated: Bool) {
        struct Head: Decodable { var truncated: Bool }
        let lines = answer.split(separator: "\n")
        guard let first = lines.first, let last = lines.last, lines.count >= 2, last == "]}",
            let head = try? JSONDecoder().decode(Head.self, from: Data("\(first)]}".utf8))
        else {
            throw AdminClient.Failure(description: "unexpected response to a lookup by an index")
        }
        let snapshots = lines.dropFirst().dropLast().map { String($0.last == "," ? $0.dropLast() : $0) }
        return (snapshots, head.truncated)
    }
}
