import JSON
import StageKit

/// A collector's answer to an export. Its text comes from the network.
///
/// Source: OpenTelemetry protocol 1.x, `ExportTracePartialSuccess` and `ExportMetricsPartialSuccess` in an answer of
/// success, `google.rpc.Status` in any other, both in JSON.
struct OTLPAnswer: Sendable {
    /// The maximum bytes of a collector's message that are logged.
    static let messageLimit = 256

    /// What a collector did not accept of an export that it otherwise accepted, or a warning.
    struct Rejection: Sendable, Equatable {
        /// The number of spans or data points; 0 for a warning.
        var count: UInt64
        /// The collector's message.
        var message: String
    }

    /// The status.
    var status: Int
    /// The header `Retry-After`.
    var retryAfter: String?
    /// The header `Content-Type`.
    var contentType: String?
    /// The beginning of the body.
    var body: [UInt8] = []

    /// Whether a web server has answered with a page, as one does whose URL is no collector.
    var isPage: Bool { self.contentType?.lowercased().hasPrefix("text/html") ?? false }

    /// The rejected part in an answer of success, or `nil` if everything was accepted.
    var rejection: Rejection? {
        guard let document = self.document else { return nil }
        guard let part = self.members(of: document)["partialSuccess"] else { return nil }
        let members = self.members(of: part)
        // 64-bit integers are text in the protocol, but some collectors write numbers.
        let counts = ["rejectedSpans", "rejectedDataPoints"].compactMap { UInt64(self.text(members[$0])) }
        let rejection = Rejection(count: counts.first ?? 0, message: self.text(members["errorMessage"]))
        return rejection.count == 0 && rejection.message.isEmpty ? nil : rejection
    }

    /// The status, with the collector's message if there is one.
    var description: String {
        let message = self.document.map { self.text(self.members(of: $0)["message"]) } ?? ""
        return message.isEmpty ? "\(self.status)" : "\(self.status): \(message)"
    }

    private var document: JSONScanner.Value? { try? JSONScanner.document(self.body.span) }

    private func members(of object: JSONScanner.Value) -> [String: JSONScanner.Value] {
        guard object.kind == .object else { return [:] }
        var scanner = JSONScanner(at: object.range.lowerBound)
        scanner.enterObject(self.body.span)
        var found: [String: JSONScanner.Value] = [:]
        while let name = try? scanner.nextMember(self.body.span, isFirst: found.isEmpty),
            let value = try? scanner.value(self.body.span, depth: 0)
        {
            found[String(decoding: self.body[name.range], as: UTF8.self)] = value
        }
        return found
    }

    private func text(_ value: JSONScanner.Value?) -> String {
        guard let value, value.kind == .text || value.kind == .number else { return "" }
        var text: [UInt8] = []
        value.appendText(of: self.body.span, to: &text)
        return String(decoding: text, as: UTF8.self).prefix(bytes: Self.messageLimit)
    }
}
