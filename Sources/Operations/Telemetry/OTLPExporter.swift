package import Admin
import AsyncHTTPClient
import Foundation
package import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
import ServiceLifecycle
package import StageKit
import Synchronization
import WebhookStage

/// Sends traces and metrics to an OpenTelemetry collector, in the protocol's JSON encoding over HTTP.
///
/// Never delays the pipeline: what cannot be sent is dropped and counted in `sluice_otlp_exports_total`.
package final class OTLPExporter: Service {
    /// The maximum number of requests for one export: a collector that is down for a moment loses nothing.
    static let attempts = 4
    /// The delay before the second request, doubled before each further one, unless the collector names another.
    static let firstDelay = Duration.seconds(1)
    /// The longest delay that a collector can ask for.
    static let longestDelay = Duration.seconds(30)
    /// The maximum bytes of an answer that are read.
    static let answerLimit = 64 << 10
    /// The time for the last export during a shutdown.
    static let lastTimeout = Duration.seconds(2)

    /// What is sent.
    enum Signal: String, CaseIterable {
        case traces, metrics
    }

    private struct Counts {
        var sent: [Signal: UInt64] = [:]
        var failed: [Signal: UInt64] = [:]
    }

    private let settings: OTLPSettings
    private let registry: MetricsRegistry
    private let resource: OTLPResource
    private let logger: Logger
    private let queue = SpanQueue()
    private let counts = OrderedMutex(Counts())
    private let metrics: OTLPMetrics
    private let clock: WallClock

    /// Creates an exporter that opens no connection.
    ///
    /// - Parameters:
    ///   - settings: The collector.
    ///   - registry: The metrics to send; the exporter adds its own.
    ///   - pipeline: The pipeline's name.
    ///   - version: The worker's version.
    ///   - logger: The logger for failed exports.
    package init(
        _ settings: OTLPSettings, registry: MetricsRegistry, pipeline: String, version: String, logger: Logger,
        clock: WallClock = .system
    ) {
        self.settings = settings
        self.registry = registry
        self.logger = logger
        self.clock = clock
        self.metrics = OTLPMetrics(start: UInt64(max(0, clock.milliseconds)) * 1_000_000)
        self.resource = OTLPResource(attributes: [
            ("service.name", "sluice"), ("service.version", version), ("service.namespace", pipeline),
            ("service.instance.id", "\(ProcessInfo.processInfo.hostName):\(ProcessInfo.processInfo.processIdentifier)"),
        ])
    }

    /// The destination of spans, or `nil` if they are not sent.
    package var sink: (any SpanSink)? { self.settings.traces ? self.queue : nil }

    /// The counts for `/metrics`.
    package func samples() -> [MetricSample] {
        let counts = self.counts.withLock(\.self)
        var samples = Signal.allCases.flatMap { signal in
            [("sent", counts.sent[signal]), ("failed", counts.failed[signal])].map { result, count in
                MetricSample(
                    "sluice_otlp_exports_total", .counter, help: "Exports to the OpenTelemetry collector, by result.",
                    labels: [("signal", signal.rawValue), ("result", result)], value: Double(count ?? 0))
            }
        }
        samples.append(
            MetricSample(
                "sluice_otlp_spans_dropped_total", .counter,
                help: "Spans and traces that were not recorded or not sent because of a limit.",
                value: Double(self.queue.dropped)))
        return samples
    }

    /// Exports in intervals until the worker stops, and then once more.
    package func run() async throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = self.settings.caFile { tls.trustRoots = .file(file) }
        let base = self.settings.base ?? ""
        let host = base.hasPrefix("https://") ? URLComponents(string: base)?.host : nil
        var configuration = SecureHTTP.configuration(tls, host: host)
        // An export must not cause spans, which the next export would send.
        configuration.tracing.tracer = nil
        // A redirect would send the headers, which are secrets, to a host that the file does not name.
        configuration.redirectConfiguration = .disallow
        let client = HTTPClient(configuration: configuration)
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: self.settings.interval)
                if !Task.isCancelled { await self.export(client, isLast: false) }
            }
        }
        await self.export(client, isLast: true)
        try await client.shutdown()
    }

    private func export(_ client: HTTPClient, isLast: Bool) async {
        if self.settings.metrics {
            let now = UInt64(max(0, self.clock.milliseconds)) * 1_000_000
            let request = self.metrics.request(self.registry.readings(), resource: self.resource, at: now)
            let isSent = await self.send(request, .metrics, client, isLast: isLast)
            if isLast, !isSent { return }
        }
        // Bounded, because spans are added in the meantime.
        for _ in 0..<(SpanQueue.limit / SpanQueue.requestLimit) {
            if !isLast, Task.isCancelled { return }
            let spans = self.queue.take()
            if spans.isEmpty { break }
            let request = SpanQueue.request(spans, resource: self.resource)
            let isSent = await self.send(request, .traces, client, isLast: isLast)
            if isLast, !isSent { return }
        }
    }

    /// Sends a request, repeatedly if the collector asks for it or does not answer; returns whether it was accepted.
    private func send(_ body: [UInt8], _ signal: Signal, _ client: HTTPClient, isLast: Bool) async -> Bool {
        var request = HTTPClientRequest(url: "\(self.settings.base ?? "")/v1/\(signal.rawValue)")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        for header in self.settings.headers { request.headers.replaceOrAdd(name: header.name, value: header.value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        var delay = Self.firstDelay
        var problem = ""
        for attempt in 1...(isLast ? 1 : Self.attempts) {
            do {
                let timeout = isLast ? min(Self.lastTimeout, self.settings.timeout) : self.settings.timeout
                let response = try await client.execute(request, timeout: .milliseconds(timeout.microseconds / 1000))
                _ = try? await response.body.collect(upTo: Self.answerLimit)
                if (200..<300).contains(response.status.code) {
                    self.counts.withLock { $0.sent[signal, default: 0] += 1 }
                    return true
                }
                problem = "the collector answered \(response.status.code)"
                // The protocol names these statuses as those after which a client tries again.
                guard [429, 502, 503, 504].contains(response.status.code) else { break }
                if let seconds = response.headers.first(name: "Retry-After").flatMap({ Int($0) }), seconds >= 0 {
                    delay = min(.seconds(seconds), Self.longestDelay)
                }
            } catch {
                problem = "\(error)"
            }
            guard attempt < Self.attempts, !isLast, !Task.isCancelled else { break }
            try? await Task.sleep(for: delay)
            delay = min(delay * 2, Self.longestDelay)
        }
        self.counts.withLock { $0.failed[signal, default: 0] += 1 }
        self.logger.warning(
            "an export to the OpenTelemetry collector failed: what it contained is not sent again",
            metadata: [
                "signal": "\(signal.rawValue)", "error": "\(problem)", "endpoint": "\(self.settings.endpoint.text)",
            ])
        return false
    }
}
