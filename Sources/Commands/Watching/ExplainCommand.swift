import ArgumentParser
import CommandSupport
import Foundation
import NIOCore

/// `sluice explain`: prints the history of a key.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Print what a running worker knows about a key: its snapshot and its history.",
        discussion: """
            The store knows the last event that was applied, or the entry that evicted the key. The worker also \
            remembers \
            the last 2,048 failed and 2,048 skipped events (64 and 16 per batch) and the last 65,536 revocations and \
            evictions. It does not remember earlier applied events, nor anything before its start.
            """)

    @Argument(help: "The key.")
    var key: String

    @Option(help: "Output format: text or json.")
    var format = TapCommand.Format.text

    @OptionGroup var admin: AdminOptions

    /// The worker's response.
    private struct Answer: Decodable {
        struct Change: Decodable {
            var entry: String
            var added: Double
            var fields: [String: Value]?
            /// `eviction`, or `nil` for a revocation.
            var kind: String?
            var reason: String?

            private enum CodingKeys: String, CodingKey {
                case entry, fields, kind, reason
                case added = "added_ms"
            }
        }

        /// A field's value: text or a number.
        struct Value: Decodable {
            var text: String

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let number = try? container.decode(Int.self) {
                    self.text = "\(number)"
                } else {
                    self.text = try container.decode(String.self)
                }
            }
        }

        struct Memory: Decodable {
            var notKept: Int

            private enum CodingKeys: String, CodingKey {
                case notKept = "events_not_kept"
            }
        }

        var held: Change?
        var evictedBy: Change?
        var stale: String?
        var events: [WatchedEvent]
        var revocations: [Change]
        var memory: Memory

        private enum CodingKeys: String, CodingKey {
            case held, stale, events, revocations, memory
            case evictedBy = "evicted_by"
        }
    }

    func run() async throws {
        try await CommandErrors.reported {
            let client = try self.admin.worker.client()
            let store = try await self.admin.storeName(client)
            let path = "/v1/explain/\(AdminClient.encoded(store))/\(AdminClient.encoded(self.key))"
            let (status, body) = try await client.answer(path)
            guard status == 200 else { throw AdminClient.Failure(description: AdminClient.refusal(body)) }
            if self.format == .json { return try Terminal.result(AdminClient.line(body)) }
            let answer = try JSONDecoder().decode(Answer.self, from: Data(body.readableBytesView))
            for line in self.lines(answer, of: store) { try Terminal.result(PlainText.of(line)) }
        }
    }

    private func lines(_ answer: Answer, of store: String) -> [String] {
        var lines = ["\(self.key) in the store \(store)", ""]
        if let held = answer.held {
            lines.append("held since \(ClockText.dayAndTime(held.added)), written by entry \(held.entry)")
            let fields = (held.fields ?? [:]).sorted { $0.key < $1.key }
            let width = fields.map(\.key.count).max() ?? 0
            lines += fields.map { name, value in
                "  \(name)\(String(repeating: " ", count: width - name.count))  \(value.text)"
            }
        } else if let entry = answer.evictedBy {
            lines.append("not held: evicted by entry \(entry.entry), \(ClockText.dayAndTime(entry.added))")
        } else {
            lines.append("not held; no eviction on record")
        }
        if let stale = answer.stale { lines += ["", "lookups are refused: \(stale)"] }
        lines += ["", "revocations and evictions" + (answer.revocations.isEmpty ? ": none on record" : "")]
        lines += answer.revocations.map { entry in
            let kind = entry.kind.map { "  \($0) (\(entry.reason ?? ""))" } ?? ""
            return "  \(ClockText.dayAndTime(entry.added))  entry \(entry.entry)\(kind)"
        }
        lines += ["", "failed and skipped events" + (answer.events.isEmpty ? ": none on record" : "")]
        lines += answer.events.map { "  \($0.line)" }
        if answer.memory.notKept > 0 {
            lines += [
                "", "not recorded because of the limit, of all keys: \(answer.memory.notKept) failed or skipped events",
            ]
        }
        return lines
    }
}
