package import ComponentKit
import Foundation
package import NIOSSL
package import StageKit
import WebhookStage

/// Where traces and metrics are sent.
package struct OTLPSettings: Sendable {
    /// The base URL of the collector; `/v1/traces` and `/v1/metrics` are appended.
    package var endpoint = LocatedName.unread
    /// Headers of every request, for example for authentication.
    package var headers: [NamedSetting<String>] = []
    /// The time between two exports of metrics, and the longest time that a span waits.
    package var interval = Duration.seconds(15)
    /// How long to wait for the collector's answer.
    package var timeout = Duration.seconds(10)
    /// Whether spans are sent.
    package var traces = true
    /// Whether metrics are sent.
    package var metrics = true
    /// The CA bundle that the collector's certificate must come from, or `nil` for the system's.
    package var caFile: LocatedName?

    private static let object = SettingType<OTLPSettings>.object(
        SettingsSchema(
            OTLPSettings(),
            [
                .required(
                    "endpoint", \.endpoint, .name,
                    "The collector's base URL, such as http://localhost:4318; /v1/traces and /v1/metrics are appended."),
                .optional(
                    "headers", \.headers, .map(of: .secret, minimum: 0), default: "none",
                    "Headers of every request, such as Authorization."),
                .optional(
                    "interval", \.interval, .duration(minimum: .seconds(1)), default: "15s",
                    "The time between two exports of metrics, and the longest time that a span waits."),
                .optional(
                    "timeout", \.timeout, .duration(minimum: .milliseconds(100)), default: "10s",
                    "How long to wait for the collector's answer."),
                .optional("traces", \.traces, .boolean, default: "true", "Whether spans are sent."),
                .optional("metrics", \.metrics, .boolean, default: "true", "Whether metrics are sent."),
                .optional(
                    "ca_file", \.caFile, .optional(.name), default: "the system's",
                    "The CA certificates that the collector's certificate must come from, in PEM."),
            ]))

    /// The setting type of `otlp`, which also checks combinations.
    package static let type = SettingType<OTLPSettings>(shape: Self.object.shape) { node, issues in
        guard let settings = Self.object.decode(node, &issues) else { return nil }
        let before = issues.all.count
        if let problem = settings.endpointProblem {
            issues.add("endpoint: \(problem)", at: settings.endpoint.position)
        }
        if let file = settings.caFile, settings.encryptedHost == nil {
            issues.add("ca_file requires an endpoint with https://", at: file.position)
        }
        for header in settings.headers {
            guard let problem = WebhookHeader.problem(header, reserved: Self.reservedHeaders) else { continue }
            issues.add("headers: \(problem)", at: header.position)
        }
        if !settings.traces, !settings.metrics {
            issues.add("nothing is sent with traces: false and metrics: false: remove the section", at: node.position)
        }
        return issues.all.count == before ? settings : nil
    }

    /// The headers that the worker or the connection sets.
    private static let reservedHeaders: Set = [
        "connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding",
    ]

    /// The paths that are appended: a user who copies a complete URL would get them twice.
    private static let signalPaths = OTLPSignal.allCases.map { "/v1/\($0.rawValue)" }

    /// The problem with the endpoint and its remedy, or `nil` if requests can be sent to it.
    var endpointProblem: String? {
        let text = self.endpoint.text
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard isPlain, let parts = URLComponents(string: text), let host = parts.host, !host.isEmpty,
            text.hasPrefix("http://") || text.hasPrefix("https://")
        else { return "expected http://host:port or https://host:port" }
        if parts.user != nil || parts.password != nil { return "put credentials into headers" }
        if parts.query != nil || parts.fragment != nil { return "a query or a fragment is not supported: remove it" }
        if let port = parts.port, !(1...65535).contains(port) { return "the port must be a number from 1 to 65535" }
        for path in Self.signalPaths where self.base.hasSuffix(path) {
            return "\(path) is appended to the base URL: remove it"
        }
        return nil
    }

    /// The endpoint without a slash at its end.
    package var base: String {
        let text = self.endpoint.text
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    /// The host of an endpoint with `https`, or `nil`.
    var encryptedHost: String? {
        guard self.endpoint.text.hasPrefix("https://") else { return nil }
        return URLComponents(string: self.endpoint.text)?.host
    }

    /// Reads the CA bundle.
    ///
    /// - Throws: A `SettingIssue` if the file cannot be read or has no certificates.
    package func readAuthorities() throws(SettingIssue) -> NIOSSLTrustRoots? {
        guard let file = self.caFile else { return nil }
        let authorities = try? NIOSSLCertificate.fromPEMFile(file.text)
        guard let authorities, !authorities.isEmpty else {
            throw SettingIssue(
                "telemetry: otlp: ca_file: cannot read certificates in PEM from \(file.text)", at: file.position)
        }
        return .certificates(authorities)
    }
}

/// The section `telemetry`.
package struct TelemetrySettings: Sendable {
    /// The collector that receives traces and metrics, or `nil` for none.
    package var otlp: OTLPSettings?

    /// The setting type of the section.
    package static let type = SettingType<TelemetrySettings>.object(
        SettingsSchema(
            TelemetrySettings(),
            [
                .optional(
                    "otlp", \.otlp, .optional(OTLPSettings.type),
                    "An OpenTelemetry collector that receives traces and metrics over HTTP.")
            ]))

    /// The section for the catalogue.
    package static let section = SectionType(
        name: "telemetry", summary: "Sends traces and metrics to an OpenTelemetry collector.", settings: Self.type)
}
