public import StageKit

extension WebhookStage {
    /// The content of a request's body.
    public enum Body: Sendable {
        /// An object of the fields.
        case fields
        /// An object with the stream, the entry's id and the fields.
        case entry
    }

    /// The settings under `webhook`.
    public struct Settings: Sendable {
        /// The destination.
        public var url = WebhookURL.unread
        /// The request's method.
        public var method = "POST"
        /// The headers of every request.
        public var headers: [NamedSetting<String>] = []
        /// A file with further headers, one `Name: value` per line.
        public var headersFile: String?
        /// A file with the value of the header Authorization.
        public var authorizationFile: String?
        /// A PEM file with the trusted authorities, or `nil` for those of the system.
        public var caFile: String?
        /// The time limit of one attempt, from connecting to the end of the answer.
        public var timeout = Duration.seconds(5)
        /// The maximum number of retries.
        public var retries = 3
        /// The delay before the first retry; it doubles with each retry.
        public var backoff = Duration.milliseconds(200)
        /// The maximum number of requests in flight.
        public var maxInFlight = 1
        /// The fields to send.
        public var fields = FieldSelection.all
        /// The content of the body.
        public var body = Body.fields
        /// The maximum number of different URLs, or `nil` for any number: nothing is kept for a URL.
        public var maxTargets: Int?

        /// The upper limit of `timeout`: a longer attempt would only block the stream.
        static let longestTimeout = Duration.seconds(300)
        /// The upper limit of `retries`: including the delays, about five minutes.
        static let mostRetries = 10
        /// The upper limit of `max_in_flight`: each request needs a connection if the server uses HTTP/1.1.
        static let mostInFlight = 256
        /// The upper limit of `max_targets`: the URLs are kept in memory.
        static let mostTargets = 100_000

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required(
                    "url", \.url, .webhookURL,
                    "URL of the requests: http:// or https://. After the host, a field in braces stands for its value, "
                        + "percent-encoded."),
                .optional(
                    "method", \.method, .choice(["POST", "PUT", "PATCH"]), default: "POST", "Method of the requests."),
                .optional("headers", \.headers, Self.headersType, default: "{}", "Headers of each request."),
                .optional(
                    "headers_file", \.headersFile, .optional(.nonBlankText),
                    "File with further headers, one Name: value per line; for secrets."),
                .optional(
                    "authorization_file", \.authorizationFile, .optional(.nonBlankText),
                    "File with the value of the header Authorization, such as Bearer and a token."),
                .optional(
                    "ca_file", \.caFile, .optional(.nonBlankText),
                    "PEM file of the trusted CA bundle, instead of the system's."),
                .optional(
                    "timeout", \.timeout, Self.timeoutType, default: "5s",
                    "Time limit of one attempt, from connecting to the end of the response; at most 5m."),
                .optional(
                    "retries", \.retries, .integer(0...Self.mostRetries), default: "3",
                    "Maximum number of retries."),
                .optional(
                    "backoff", \.backoff, .duration(minimum: .milliseconds(1)), default: "200ms",
                    "Wait before the first retry; it doubles each time, up to 30s."),
                .optional(
                    "max_in_flight", \.maxInFlight, .integer(1...Self.mostInFlight), default: "1",
                    "Maximum number of concurrent requests; above 1 they may arrive out of order."),
                .optional(
                    "fields", \.fields, .fieldSelection, default: "all",
                    "Fields to send: all fields that earlier stages provide (all), the fields of the entry (entry), "
                        + "or a list."
                ),
                .optional(
                    "body", \.body, .choice(of: [("fields", .fields), ("entry", .entry)]), default: "fields",
                    "Body: an object of the fields (fields), or one with stream, entry and fields (entry)."),
                .optional(
                    "max_targets", \.maxTargets, .optional(.integer(1...Self.mostTargets)),
                    "Maximum number of different URLs, if the URL contains fields; by default unlimited."),
            ])

        /// Headers that can be sent.
        private static let headersType: SettingType<[NamedSetting<String>]> = {
            let headers = SettingType<[NamedSetting<String>]>.map(of: .secret)
            return SettingType(shape: headers.shape) { node, issues in
                guard let read = headers.decode(node, &issues) else { return nil }
                let before = issues.all.count
                for header in read {
                    guard let mistake = WebhookHeader(name: header.name, value: header.value).mistake else { continue }
                    issues.add(mistake, at: header.position)
                }
                return issues.all.count == before ? read : nil
            }
        }()

        private static let timeoutType = SettingType<Duration>.duration(minimum: .milliseconds(1))
            .map { (timeout) throws(SettingRefusal) in
                guard timeout <= Self.longestTimeout else { throw SettingRefusal("the maximum is 5m") }
                return timeout
            }

        /// The decoder of the settings, which also checks combinations.
        static let type = SettingType<Settings>(shape: .object(Self.schema.descriptions)) { node, issues in
            guard let settings = Self.schema.decode(node, &issues) else { return nil }
            let before = issues.all.count
            let secret = settings.authorizationFile != nil ? "authorization_file" : "headers_file"
            let hasSecret = settings.authorizationFile != nil || settings.headersFile != nil
            if hasSecret, !settings.url.isPrivate {
                issues.add(
                    "url: \(secret) would be sent unencrypted: use https://",
                    at: node["url"]?.position ?? node.position)
            }
            if settings.caFile != nil, !settings.url.isEncrypted {
                issues.add("ca_file requires a URL with https://", at: node["ca_file"]?.position ?? node.position)
            }
            if settings.maxTargets != nil, settings.url.template.literal != nil {
                issues.add(
                    "max_targets requires a field in braces in url", at: node["max_targets"]?.position ?? node.position)
            }
            return issues.all.count == before ? settings : nil
        }
    }
}
