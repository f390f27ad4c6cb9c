package import ComponentKit
package import StageKit

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
    package var caFile: String?

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
                    "ca_file", \.caFile, .optional(.nonBlankText), default: "the system's",
                    "The CA certificates that the collector's certificate must come from, in PEM."),
            ]))

    /// The setting type of `otlp`: the endpoint must be a URL of HTTP.
    package static let type = SettingType<OTLPSettings>(shape: Self.object.shape) { node, issues in
        guard let settings = Self.object.decode(node, &issues) else { return nil }
        if settings.base == nil {
            issues.add(
                "endpoint: expected http://host:port or https://host:port, with credentials in headers",
                at: settings.endpoint.position)
            return nil
        }
        return settings
    }

    /// Characters that a base URL cannot have. Credentials belong in headers, which are never shown.
    private static let refused = Set("?#@".utf8)

    /// The endpoint without a slash at its end, or `nil` if it is no URL of HTTP with a host.
    package var base: String? {
        let text = self.endpoint.text
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return nil }
        let rest = text.dropFirst(scheme.count)
        let isPlain = rest.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !Self.refused.contains($0) }
        guard isPlain, let first = rest.first, first != "/", first != ":" else { return nil }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
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
