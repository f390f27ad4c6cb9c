import Admin
import StageKit

/// Encodes metrics as an export request of the OpenTelemetry protocol.
///
/// Source: OpenTelemetry protocol 1.x, `ExportMetricsServiceRequest` in JSON: 64-bit integers as text, field names in
/// lowerCamelCase. Pure.
struct OTLPMetrics {
    /// The number of cumulative temporality in the protocol.
    private static let cumulative = 2

    /// The start of the process, in nanoseconds since 1970: counters count from it.
    let start: UInt64

    /// Returns the request for all families; `now` is in nanoseconds since 1970.
    func request(_ families: [MetricReading], resource: OTLPResource, at now: UInt64) -> [UInt8] {
        var text = Array(#"{"resourceMetrics":[{"resource":"#.utf8)
        resource.append(to: &text)
        text += Array(#","scopeMetrics":[{"scope":{"name":"sluice"},"metrics":["#.utf8)
        for (index, family) in families.enumerated() {
            text += Array((index == 0 ? "{" : ",{").utf8)
            JSONText.appendMember("name", family.name, to: &text)
            text.append(UInt8(ascii: ","))
            JSONText.appendMember("description", family.help, to: &text)
            text += Array(self.head(of: family.kind).utf8)
            self.append(family.series, at: now, to: &text)
            text += Array("]}}".utf8)
        }
        return text + Array("]}]}]}".utf8)
    }

    private func head(of kind: MetricKind) -> String {
        switch kind {
        case .counter: #","sum":{"aggregationTemporality":\#(Self.cumulative),"isMonotonic":true,"dataPoints":["#
        case .gauge: #","gauge":{"dataPoints":["#
        case .histogram: #","histogram":{"aggregationTemporality":\#(Self.cumulative),"dataPoints":["#
        }
    }

    private func append(_ series: [MetricReading.Series], at now: UInt64, to text: inout [UInt8]) {
        for (index, one) in series.enumerated() {
            text += Array((index == 0 ? "{" : ",{").utf8)
            text += Array(#""attributes":["#.utf8)
            OTLPResource.append(one.labels, to: &text)
            text += Array(#"],"startTimeUnixNano":"\#(self.start)","timeUnixNano":"\#(now)","#.utf8)
            switch one.value {
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
