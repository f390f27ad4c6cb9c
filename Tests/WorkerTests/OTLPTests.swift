import Admin
import Foundation
import StageKit
import Testing
import Tracing

@testable import Operations

@Suite struct OTLPTests {
    private let resource = OTLPResource(attributes: [("service.name", "sluice")])

    private func text(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("A counter is a cumulative sum, with its labels as attributes and its time as text")
    func counter() {
        let reading = MetricReading(
            name: "events_total", kind: .counter, help: "Events.",
            series: [.init(labels: [("outcome", "applied")], value: .number(3))])
        #expect(
            self.text(OTLPMetrics(start: 1).requests([reading], resource: self.resource, at: 9)[0])
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
        let text = self.text(OTLPMetrics(start: 1).requests([reading], resource: self.resource, at: 9)[0])
        #expect(
            text.contains(
                #""count":"4","sum":6.5,"bucketCounts":["1","0","3"],"explicitBounds":[0.5,1.0]}"#))
    }

    @Test("Values that are not finite are text", arguments: [(Double.nan, "NaN"), (-.infinity, "-Infinity")])
    func special(value: Double, word: String) {
        let reading = MetricReading(
            name: "g", kind: .gauge, help: "G.", series: [.init(labels: [], value: .number(value))])
        let text = self.text(OTLPMetrics(start: 1).requests([reading], resource: self.resource, at: 9)[0])
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

    @Test("Metrics beyond a size are divided among requests, each complete, without losing or repeating a series")
    func division() throws {
        let series = (0..<40).map { index in
            MetricReading.Series(labels: [(name: "n", value: "\(index)")], value: .number(Double(index)))
        }
        let families = ["a", "b"].map { MetricReading(name: $0, kind: .counter, help: "H.", series: series) }
        let requests = OTLPMetrics(start: 1).requests(families, resource: self.resource, at: 9, limit: 1000)
        #expect(requests.count > 4)
        var seen: [String] = []
        for request in requests {
            #expect(request.count < 1300)
            let document = try JSONSerialization.jsonObject(with: Data(request))
            let metrics = try #require(Self.find("metrics", in: document) as? [[String: Any]])
            for metric in metrics {
                let name = try #require(metric["name"] as? String)
                let points = try #require(Self.find("dataPoints", in: metric) as? [[String: Any]])
                #expect(!points.isEmpty)
                seen += points.map { "\(name)\(($0["asDouble"] as? Double).map { Int($0) } ?? -1)" }
            }
        }
        #expect(seen == families.flatMap { family in (0..<40).map { "\(family.name)\($0)" } })
        #expect(OTLPMetrics(start: 1).requests([], resource: self.resource, at: 9).isEmpty)
    }

    /// Returns the first value with this name in a document.
    private static func find(_ name: String, in value: Any) -> Any? {
        if let object = value as? [String: Any] {
            if let found = object[name] { return found }
            return object.values.lazy.compactMap { self.find(name, in: $0) }.first
        }
        return (value as? [Any])?.lazy.compactMap { self.find(name, in: $0) }.first
    }

    private func span(_ name: String, bytes: Int = 0) -> SpanData {
        var span = SpanData(
            name: name, kind: .internal, identity: .init(trace: "t", span: "s", isWritten: true), start: 1, end: 2)
        // An attribute is cut, so a long text is divided.
        for index in 0..<(bytes / 1000) { span.attributes["a\(index)"] = String(repeating: "x", count: 1000) }
        return span
    }

    @Test("Spans that were taken and not sent come first again, and those that are dropped are counted")
    func puttingBack() {
        let queue = SpanQueue()
        for index in 0..<3 { queue.write(self.span("\(index)")) }
        let taken = queue.take()
        queue.write(self.span("3"))
        queue.putBack(taken)
        let again = queue.take()
        #expect(again.count == 4)
        #expect(self.text(again[0]).contains(#""name":"0""#) && self.text(again[3]).contains(#""name":"3""#))
        queue.drop(again)
        #expect(queue.dropped == 4)
        queue.write(self.span("4"))
        #expect(queue.dropAll() == 1 && queue.dropAll() == 0)
        #expect(queue.dropped == 5)
        #expect(queue.take().isEmpty)
    }

    @Test("Long spans are limited by their bytes, in the queue and in a request")
    func bytes() {
        let queue = SpanQueue()
        let count = SpanQueue.byteLimit / 50_000
        for _ in 0..<(count + 10) { queue.write(self.span("long", bytes: 50_000)) }
        #expect(queue.dropped >= 10)
        var taken = 0
        while true {
            let spans = queue.take()
            if spans.isEmpty { break }
            #expect(spans.reduce(0) { $0 + $1.count } <= SpanQueue.requestByteLimit)
            taken += spans.count
        }
        #expect(UInt64(taken) + queue.dropped == UInt64(count + 10))
    }

    @Test("Events of a span beyond the limit are counted")
    func events() {
        let queue = SpanQueue()
        let span = SpanTracer(sink: queue).startSpan("reconnect", context: .topLevel)
        for _ in 0..<(SpanData.eventLimit + 5) { span.addEvent("attempt") }
        span.end()
        #expect(self.text(queue.take()[0]).contains(#""droppedEventsCount":5"#))
    }

    @Test(
        "An endpoint is a URL of HTTP with a host and without credentials",
        arguments: [
            ("http://localhost:4318", nil), ("https://c.example.net/base/", nil), ("http://[::1]:4318", nil),
            ("localhost:4318", "expected http://host:port or https://host:port"),
            ("ftp://c", "expected http://host:port or https://host:port"),
            ("http://", "expected http://host:port or https://host:port"),
            ("http://c:x", "expected http://host:port or https://host:port"),
            ("http://user:pass@c", "put credentials into headers"),
            ("http://c?x", "a query or a fragment is not supported: remove it"),
            ("http://c:70000", "the port must be a number from 1 to 65535"),
            ("http://c:4318/v1/traces", "/v1/traces is appended to the base URL: remove it"),
            ("http://c:4318/base/v1/metrics/", "/v1/metrics is appended to the base URL: remove it"),
        ] as [(String, String?)])
    func endpoint(text: String, problem: String?) {
        var settings = OTLPSettings()
        settings.endpoint = LocatedName(text, at: SettingPosition(line: 1, column: 1))
        #expect(settings.endpointProblem == problem)
        if problem == nil { #expect(settings.base == (text.hasSuffix("/") ? String(text.dropLast()) : text)) }
    }
}
