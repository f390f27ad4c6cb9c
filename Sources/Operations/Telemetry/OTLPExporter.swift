package import Admin
import AsyncHTTPClient
import Foundation
package import Logging
import NIOCore
package import NIOSSL
import ServiceLifecycle
package import StageKit
import Synchronization
import WebhookStage

/// Sends traces and metrics to an OpenTelemetry collector, in the protocol's JSON encoding over HTTP.
///
/// Never delays the pipeline: what cannot be sent is dropped and counted.
package final class OTLPExporter: Service {
    /// The longest time that a span waits: with a longer one, a busy worker would fill the queue.
    static let spanInterval = Duration.seconds(10)
    /// The time for a request during a shutdown.
    static let lastTimeout = Duration.seconds(2)
    /// The time for all requests during a shutdown, which has to end with the worker's other services within 20 s.
    static let lastLimit = Duration.seconds(5)

    private struct State {
        var sent: [OTLPSignal: UInt64] = [:]
        var failed: [OTLPSignal: UInt64] = [:]
        var rejected: [OTLPSignal: UInt64] = [:]
        var reports = OTLPReports()
    }

    /// The result of an export.
    private enum Delivery {
        case sent
        /// Not sent, and not tried again; nothing is sent for the duration of the pause.
        case failed(pause: Duration)
        /// Interrupted by the shutdown.
        case interrupted
    }

    private let settings: OTLPSettings
    private let authorities: NIOSSLTrustRoots?
    private let registry: MetricsRegistry
    private let resource: OTLPResource
    private let logger: Logger
    private let queue = SpanQueue()
    private let state = OrderedMutex(State())
    private let metrics: OTLPMetrics
    private let clock: WallClock

    /// Creates an exporter that opens no connection.
    ///
    /// - Parameters:
    ///   - settings: The collector.
    ///   - authorities: The CA certificates that the collector's certificate must come from, or `nil` for the system's.
    ///   - registry: The metrics to send; the exporter adds its own.
    ///   - pipeline: The pipeline's name.
    ///   - version: The worker's version.
    ///   - logger: The logger for failed exports.
    package init(
        _ settings: OTLPSettings, trusting authorities: NIOSSLTrustRoots?, registry: MetricsRegistry, pipeline: String,
        version: String, logger: Logger, clock: WallClock = .system
    ) {
        self.settings = settings
        self.authorities = authorities
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
        let state = self.state.withLock(\.self)
        var samples = OTLPSignal.allCases.flatMap { signal in
            [("sent", state.sent[signal]), ("failed", state.failed[signal])].map { result, count in
                MetricSample(
                    "sluice_otlp_exports_total", .counter, help: "Exports to the OpenTelemetry collector, by result.",
                    labels: [("signal", signal.rawValue), ("result", result)], value: Double(count ?? 0))
            }
        }
        samples += OTLPSignal.allCases.map { signal in
            MetricSample(
                "sluice_otlp_rejected_total", .counter,
                help: "Spans and data points that the OpenTelemetry collector rejected.",
                labels: [("signal", signal.rawValue)], value: Double(state.rejected[signal] ?? 0))
        }
        samples.append(
            MetricSample(
                "sluice_otlp_spans_dropped_total", .counter,
                help: "Spans and traces that were not recorded because of a limit, or not sent.",
                value: Double(self.queue.dropped)))
        return samples
    }

    /// Exports in intervals until the worker stops, and then once more.
    package func run() async throws {
        let client = self.makeClient()
        await cancelWhenGracefulShutdown { await self.exportInIntervals(client) }
        await self.exportLast(client)
        try await client.shutdown()
    }

    private func makeClient() -> HTTPClient {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = self.authorities ?? .default
        var configuration = SecureHTTP.configuration(tls, host: self.settings.encryptedHost)
        // An export must not cause spans, which the next export would send.
        configuration.tracing.tracer = nil
        // A redirect would send the headers, which are secrets, to a host that the file does not name.
        configuration.redirectConfiguration = .disallow
        // The exporter itself counts and times the attempts.
        configuration.connectionPool.retryConnectionEstablishment = false
        // The client's shutdown waits for a connection that is being opened, which nothing cancels.
        configuration.timeout.connect = TimeAmount(min(self.settings.timeout, Self.lastLimit))
        return HTTPClient(configuration: configuration)
    }

    private func exportInIntervals(_ client: HTTPClient) async {
        var untilMetrics = self.settings.interval
        while !Task.isCancelled {
            let delay = min(untilMetrics, Self.spanInterval)
            try? await Task.sleep(for: delay)
            if Task.isCancelled { return }
            untilMetrics -= delay
            let isDue = untilMetrics <= .zero
            if isDue { untilMetrics = self.settings.interval }
            let pause = await self.export(client, withMetrics: isDue)
            if pause > .zero { try? await Task.sleep(for: pause) }
        }
    }

    /// Sends metrics, if they are due, and the spans that wait.
    ///
    /// - Returns: How long nothing is sent after that, because the collector asks for it.
    private func export(_ client: HTTPClient, withMetrics: Bool) async -> Duration {
        if withMetrics {
            for request in self.metricsRequests() {
                let result = await self.send(request, .metrics, client, timeout: self.settings.timeout)
                if case .failed(let pause) = result, pause > .zero { return pause }
                guard case .sent = result else { break }
            }
        }
        // Bounded, because spans are added in the meantime.
        for _ in 0..<(SpanQueue.limit / SpanQueue.requestLimit) {
            let spans = self.queue.take()
            if spans.isEmpty { break }
            let request = SpanQueue.request(spans, resource: self.resource)
            switch await self.send(request, .traces, client, timeout: self.settings.timeout) {
            case .sent: continue
            case .interrupted:
                // The collector may have received them: it is better to send spans twice than to lose them.
                self.queue.putBack(spans)
                return .zero
            case .failed(let pause):
                // The others wait for the next export: they would only fail as well.
                self.queue.drop(spans)
                return pause
            }
        }
        return .zero
    }

    /// Sends metrics and all spans once more, within a time limit.
    private func exportLast(_ client: HTTPClient) async {
        let end = ContinuousClock.now + Self.lastLimit
        let timeout = { min(Self.lastTimeout, self.settings.timeout, ContinuousClock.now.duration(to: end)) }
        for request in self.metricsRequests() where timeout() > .zero {
            guard case .sent = await self.send(request, .metrics, client, timeout: timeout(), attempts: 1) else {
                break
            }
        }
        while timeout() > .zero {
            let spans = self.queue.take()
            if spans.isEmpty { break }
            let request = SpanQueue.request(spans, resource: self.resource)
            guard case .sent = await self.send(request, .traces, client, timeout: timeout(), attempts: 1) else {
                self.queue.putBack(spans)
                break
            }
        }
        let lost = self.queue.dropAll()
        if lost > 0 {
            self.logger.warning(
                "spans are lost: the OpenTelemetry collector did not accept them before the shutdown",
                metadata: ["spans": "\(lost)", "endpoint": "\(self.settings.endpoint.text)"])
        }
    }

    private func metricsRequests() -> [[UInt8]] {
        guard self.settings.metrics else { return [] }
        let now = UInt64(max(0, self.clock.milliseconds)) * 1_000_000
        return self.metrics.requests(self.registry.readings(), resource: self.resource, at: now)
    }

    /// Sends a request, repeatedly if the collector asks for it or does not answer.
    private func send(
        _ body: [UInt8], _ signal: OTLPSignal, _ client: HTTPClient, timeout: Duration,
        attempts: Int = OTLPRule.attempts
    ) async -> Delivery {
        let request = OTLPRequest(
            url: "\(self.settings.base)/v1/\(signal.rawValue)", headers: self.settings.headers, body: body)
        var number = 1
        while true {
            let attempt = await request.attempt(client, within: timeout)
            let step = OTLPRule.step(
                after: attempt, number: number, of: attempts, jitter: Double.random(in: 0..<1),
                now: self.clock.milliseconds)
            if case .accepted(let rejection) = step {
                self.record(rejection, signal, request.url)
                return .sent
            }
            if Task.isCancelled { return .interrupted }
            switch step {
            case .again(let delay):
                try? await Task.sleep(for: delay)
                if Task.isCancelled { return .interrupted }
                number += 1
            case .fail(let problem, let pause):
                self.record(problem, signal, request.url)
                return .failed(pause: pause)
            case .accepted: return .sent
            }
        }
    }

    private func record(_ rejection: OTLPAnswer.Rejection?, _ signal: OTLPSignal, _ url: String) {
        let (failures, repeats) = self.state.withLock { state -> (UInt64, UInt64?) in
            state.sent[signal, default: 0] += 1
            let failures = state.reports.succeeded(.exports(signal))
            guard let rejection else {
                _ = state.reports.succeeded(.parts(signal))
                return (failures, nil)
            }
            // The number is the collector's: it must not end the worker.
            let (sum, overflow) = state.rejected[signal, default: 0].addingReportingOverflow(rejection.count)
            state.rejected[signal] = overflow ? .max : sum
            return (failures, state.reports.failed(.parts(signal), rejection.message, at: .now))
        }
        if failures > 0 {
            self.logger.notice(
                "the OpenTelemetry collector accepts exports again",
                metadata: ["signal": "\(signal.rawValue)", "failed": "\(failures)"])
        }
        guard let rejection, repeats != nil else { return }
        self.logger.warning(
            "the OpenTelemetry collector accepted an export only partly, or with a warning",
            metadata: [
                "signal": "\(signal.rawValue)", "rejected": "\(rejection.count)", "error": "\(rejection.message)",
                "endpoint": "\(url)",
            ])
    }

    private func record(_ problem: String, _ signal: OTLPSignal, _ url: String) {
        let failures = self.state.withLock { state -> UInt64? in
            state.failed[signal, default: 0] += 1
            return state.reports.failed(.exports(signal), problem, at: .now)
        }
        guard let failures else { return }
        self.logger.warning(
            "an export to the OpenTelemetry collector failed: its content is lost, further failures are counted",
            metadata: [
                "signal": "\(signal.rawValue)", "error": "\(problem)", "endpoint": "\(url)", "failed": "\(failures)",
            ])
    }
}
