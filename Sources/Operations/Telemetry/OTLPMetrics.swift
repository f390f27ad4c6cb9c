import Admin
import StageKit

/// Encodes metrics as export requests of the OpenTelemetry protocol.
///
/// Source: OpenTelemetry protocol 1.x, `ExportMetricsServiceRequest` in JSON: 64-bit integers as text, field names in
/// lowerCamelCase. Pure.
struct OTLPMetrics {
    /// The number of cumulative temporality in the protocol.
    private static let cumulative = 2

    /// The start of the process, in nanoseconds since 1970: counters count from it.
    let start: UInt64

    /// The number of bytes after which another request begins: collectors refuse requests of 20 MiB, and many proxies
    /// smaller ones.
    static let requestBytes = 2 << 20

    /// Returns the requests for all families, usually one; `now` is in nanoseconds since 1970.
    func requests(
        _ families: [MetricReading], resource: OTLPResource, at now: UInt64, limit: Int = Self.requestBytes
    ) -> [[UInt8]] {
        var start = Array(#"{"resourceMetrics":[{"resource":"#.utf8)
        resource.append(to: &start)
        start += Array(#","scopeMetrics":[{"scope":{"name":"sluice"},"metrics":["#.utf8)
        let end = Array("]}]}]}".utf8)
        var requests: [[UInt8]] = []
        var text = start
        for family in families {
            var isOpen = false
            for one in family.series {
                if text.count >= limit {
                    requests.append(text + (isOpen ? Array("]}}".utf8) : []) + end)
                    (text, isOpen) = (start, false)
                }
                if isOpen {
                    text.append(UInt8(ascii: ","))
                } else {
                    if text.count > start.count { text.append(UInt8(ascii: ",")) }
                    self.appendHead(of: family, to: &text)
                    isOpen = true
                }
                self.append(one, at: now, to: &text)
            }
            if isOpen { text += Array("]}}".utf8) }
        }
        if text.count > start.count { requests.append(text + end) }
        return requests
    }

    private func appendHead(of family: MetricReading, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "{"))
        JSONText.appendMember("name", family.name, to: &text)
        text.append(UInt8(ascii: ","))
        JSONText.appendMember("description", family.help, to: &text)
        text += Array(self.head(of: family.kind).utf8)
    }

    private func head(of kind: MetricKind) -> String {
        switch kind {
        case .counter: #","sum":{"aggregationTemporality":\#(Self.cumulative),"isMonotonic":true,"dataPoints":["#
        case .gauge: #","gauge":{"dataPoints":["#
        case .histogram: #","histogram":{"aggregationTemporality":\#(Self.cumulative),"dataPoints":["#
        }
    }

    private func append(_ series: MetricReading.Series, at now: UInt64, to text: inout [UInt8]) {
        text += Array(#"{"attributes":["#.utf8)
        OTLPResource.append(series.labels, to: &text)
        text += Array(#"],"startTimeUnixNano":"\#(self.start)","timeUnixNano":"\#(now)","#.utf8)
        switch series.value {
        case .number(let value): text += Array(#""asDouble":\#(Self.number(value))"#.utf8)
        case .histogram(let bounds, let counts, let sum):
            text += Array(#""count":"\#(counts.last ?? 0)","sum":\#(Self.number(sum)),"bucketCounts":["#.utf8)
            var below: Int64 = 0
            for (bucket, count) in counts.enumerated() {
                text += Array("\(bucket == 0 ? "" : ",")\"\(count - below)\"".utf8)
                below = count
            }
            text += Array("],\"explicitBounds\":[\(bounds.map(Self.number).joined(separator: ","))]".utf8)
        }
        text.append(UInt8(ascii: "}"))
    }

    /// Returns a number as JSON; the protocol writes values that are not finite as text.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "\"NaN\"" }
        if value.isInfinite { return value < 0 ? "\"-Infinity\"" : "\"Infinity\"" }
        return "\(value)"
    }
}

/// The attributes that identify the worker.
struct OTLPResource: Sendable {
    /// Names and values.
    let attributes: [(name: String, value: String)]

    /// Appends the resource as an object.
    func append(to text: inout [UInt8]) {
        text += Array(#"{"attributes":["#.utf8)
        Self.append(self.attributes, to: &text)
        text += Array("]}".utf8)
    }

    /// Appends attributes as the elements of a list.
    static func append(_ attributes: [(name: String, value: String)], to text: inout [UInt8]) {
        for (index, attribute) in attributes.enumerated() {
            text += Array((index == 0 ? "{" : ",{").utf8)
            JSONText.appendMember("key", attribute.name, to: &text)
            text += Array(#","value":{"#.utf8)
            JSONText.appendMember("stringValue", attribute.value, to: &text)
            text += Array("}}".utf8)
        }
    }
}
