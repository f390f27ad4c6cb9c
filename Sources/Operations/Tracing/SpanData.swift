import StageKit
import Tracing

/// The data of a span, and its line in the file.
///
/// Source: OpenTelemetry protocol, JSON encoding of `TracesData`: identifiers in hexadecimal, 64-bit integers as text.
package struct SpanData: Sendable {
    /// Maximum number of events of a span: a reconnection has one for each attempt, and may try for days.
    static let eventLimit = 32

    /// The span's name.
    var name: String
    /// The span's kind.
    var kind: SpanKind
    /// The ids of the trace and the span.
    var identity: SpanTracer.Identity
    /// The id of the parent span.
    var parent: String?
    /// The start, in nanoseconds since 1970.
    var start: UInt64
    /// The end, in nanoseconds since 1970.
    var end: UInt64?
    /// The span's attributes.
    var attributes: SpanAttributes = [:]
    /// The span's events.
    var events: [SpanEvent] = []
    /// The number of events beyond `eventLimit`.
    var droppedEvents: UInt32 = 0
    /// The span's status.
    var status: SpanStatus?

    /// The span as a complete document with a resource and a scope.
    var line: [UInt8] {
        SpanQueue.request([self.object], resource: OTLPResource(attributes: [("service.name", "sluice")]))
    }

    /// The span as a JSON object.
    var object: [UInt8] {
        var text = [UInt8(ascii: "{")]
        JSONText.appendMember("traceId", self.identity.trace, to: &text)
        self.member("spanId", self.identity.span, &text)
        if let parent = self.parent { self.member("parentSpanId", parent, &text) }
        self.member("name", self.name, &text)
        text += Array(",\"kind\":\(Self.number(self.kind))".utf8)
        self.member("startTimeUnixNano", "\(self.start)", &text)
        self.member("endTimeUnixNano", "\(self.end ?? self.start)", &text)
        text += Array(",\"attributes\":[".utf8)
        Self.append(self.attributes, to: &text)
        text += Array("],\"events\":[".utf8)
        for (index, event) in self.events.enumerated() {
            text += Array((index == 0 ? "{" : ",{").utf8)
            JSONText.appendMember("timeUnixNano", "\(event.nanosecondsSinceEpoch)", to: &text)
            self.member("name", event.name, &text)
            text += Array(",\"attributes\":[".utf8)
            Self.append(event.attributes, to: &text)
            text += Array("]}".utf8)
        }
        text.append(UInt8(ascii: "]"))
        if self.droppedEvents > 0 { text += Array(",\"droppedEventsCount\":\(self.droppedEvents)".utf8) }
        text += Array(",\"status\":{".utf8)
        if let status = self.status {
            text += Array("\"code\":\(status.code == .ok ? 1 : 2)".utf8)
            if let message = status.message { self.member("message", LogLine.cut(message), &text) }
        }
        return text + Array("}}".utf8)
    }

    private func member(_ name: String, _ value: String, _ text: inout [UInt8]) {
        text.append(UInt8(ascii: ","))
        JSONText.appendMember(name, value, to: &text)
    }

    private static func append(_ attributes: SpanAttributes, to text: inout [UInt8]) {
        var all: [(name: String, value: SpanAttribute)] = []
        attributes.forEach { all.append(($0, $1)) }
        for (index, (name, value)) in all.sorted(by: { $0.name < $1.name }).enumerated() {
            text += Array((index == 0 ? "{" : ",{").utf8)
            JSONText.appendMember("key", name, to: &text)
            text += Array(",\"value\":{".utf8)
            switch value {
            case .int32(let number): JSONText.appendMember("intValue", "\(number)", to: &text)
            case .int64(let number): JSONText.appendMember("intValue", "\(number)", to: &text)
            case .double(let number) where number.isFinite: text += Array("\"doubleValue\":\(number)".utf8)
            case .bool(let flag): text += Array("\"boolValue\":\(flag)".utf8)
            case .string(let string): JSONText.appendMember("stringValue", LogLine.cut(string), to: &text)
            default: JSONText.appendMember("stringValue", LogLine.cut("\(value)"), to: &text)
            }
            text += Array("}}".utf8)
        }
    }

    /// Returns the kind's number in the protocol.
    private static func number(_ kind: SpanKind) -> Int {
        switch kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }
}
