import Admin
import StageKit
import Testing
import Tracing

@testable import Operations

@Suite struct OTLPTests {
    private let resource = OTLPResource(attributes: [("service.name", "sluice")])

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("A counter is a cumulative sum, with its labels as attributes and its time as text")
    func counter() {
        let reading = MetricReading(
            name: "events_total", kind: .counter, help: "Events.",
            series: [.init(labels: [("outcome", "applied")], value: .number(3))])
        #expect(
            self.text(OTLPMetrics(start: 1).request([reading], resource: self.resource, at: 9))
                == #"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","#
                + #""value":{"stringValue":"sluice"}}]},"scopeMetrics":[{"scope":{"name":"sluice"},"metrics":["#
                + #"{"name":"events_total","description":"Events.","sum":{"aggregationTemporality":2,"isMonotonic":true,"#
                + #""dataPoints":[{"attributes":[{"key":"outcome","value":{"stringValue":"applied"}}],"#
                + #""startTimeUnixNano":"1","timeUnixNano":"9","asDouble":3.0}]}}]}]}]}"#)
    }

    @Test("Each bucket of a histogram counts its own values only")
    func histogram() {
        let reading = MetricReading(
            name: "h", kind: .histogram, help: "H.",
            series: [.init(labels: [], value: .histogram(bounds: [0.5, 1], counts: [1, 1, 4], sum: 6.5))])
        let text = self.text(OTLPMetrics(start: 1).request([reading], resource: self.resource, at: 9))
        #expect(
            text.contains(
                #""count":"4","sum":6.5,"bucketCounts":["1","0","3"],"explicitBounds":[0.5,1.0]}"#))
    }

    @Test("Values that are not finite are text", arguments: [(Double.nan, "NaN"), (-.infinity, "-Infinity")])
    func special(value: Double, word: String) {
        let reading = MetricReading(
            name: "g", kind: .gauge, help: "G.", series: [.init(labels: [], value: .number(value))])
        let text = self.text(OTLPMetrics(start: 1).request([reading], resource: self.resource, at: 9))
        #expect(text.contains(#""asDouble":"\#(word)""#))
    }

    @Test("A full queue drops spans and counts them, and returns the oldest first")
    func queue() {
        let queue = SpanQueue()
        for index in 0..<(SpanQueue.limit + 2) {
            queue.write(
                SpanData(
                    name: "\(index)", kind: .internal, identity: .init(trace: "t", span: "s", isWritten: true),
                    start: 1, end: 2))
        }
        #expect(queue.dropped == 2)
        let taken = queue.take()
        #expect(taken.count == SpanQueue.requestLimit)
        #expect(self.text(taken[0]).contains(#""name":"0""#))
        var rest = 0
        while true {
            let more = queue.take().count
            if more == 0 { break }
            rest += more
        }
        #expect(rest == SpanQueue.limit - SpanQueue.requestLimit)
    }

    @Test(
        "An endpoint is a URL of HTTP with a host and without credentials",
        arguments: [
            ("http://localhost:4318", "http://localhost:4318"),
            ("https://c.example.net/base/", "https://c.example.net/base"),
            ("localhost:4318", nil), ("ftp://c", nil), ("http://", nil), ("http://user:pass@c", nil),
            ("http://c?x", nil),
        ] as [(String, String?)])
    func endpoint(text: String, base: String?) {
        var settings = OTLPSettings()
        settings.endpoint = LocatedName(text, at: SettingPosition(line: 1, column: 1))
        #expect(settings.base == base)
    }
}
