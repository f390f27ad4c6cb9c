import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import NIOSSL
public import StageKit

/// Sends every event to an HTTP server as JSON.
public final class WebhookStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "webhook",
        summary: "Sends events to an HTTP server as JSON, with retries.",
        settings: Settings.type,
        example: """
            webhook: { url: "https://hooks.example/orders", fields: [order_id, amount], retries: 5 }
            """,
        failureReason: "webhook_failure", waits: true)

    private let settings: Settings
    private let url: ResolvedTemplate
    /// Bounds the number of different URLs, or `nil` if it is not bounded.
    private var targets: TargetLimit?
    private let fields: SelectedFields
    private let effect: EffectID
    private let logger: Logger
    private let isRehearsal: Bool
    private let progress: ProgressReporter
    /// Created for the first request.
    private var client: HTTPClient?

    /// Creates the stage; it reads the fields to send.
    public init(_ settings: Settings, _ setup: StageSetup) {
        self.settings = settings
        self.url = settings.url.template.resolve(setup, refusingSecretsIn: "a URL")
        self.targets = settings.maxTargets.map { TargetLimit($0) }
        self.fields = settings.fields.resolve(setup)
        self.effect = setup.effect("webhook")
        self.logger = setup.logger
        self.isRehearsal = setup.isRehearsal
        self.progress = setup.progress
    }

    /// Lets the event wait to be sent. An event from which no URL can be made fails.
    public func process(_ event: inout Event) throws -> Verdict {
        guard self.settings.url.template.literal == nil else { return .wait }
        let url = try WebhookURL.text(self.url, for: event)
        guard self.targets?.accept(Array(url.utf8)) ?? true else {
            let limit = self.settings.maxTargets ?? 0
            throw StageFailure("webhook: more than \(limit) different URLs: raise max_targets if that is intended")
        }
        return .wait
    }

    /// Sends all waiting events, with limited concurrency. An event whose request is refused or gets no answer fails.
    ///
    /// - Throws: An error if a file with secrets cannot be read or the task is cancelled.
    public func complete(_ events: WaitingEvents) async throws {
        let requests = try (0..<events.count).map { position in
            // Does not throw: the event was accepted with this URL.
            try events.withEvent(at: position) { (event) throws(StageFailure) in try self.request(event) }
        }
        for (position, failure) in try await self.send(requests).enumerated() {
            if let failure {
                events.fail(at: position, failure)
            } else {
                events.withEvent(at: position) { event in event.record(self.effect) }
            }
        }
    }

    /// Closes the connections.
    public func shutDown() async {
        // Fails only if it was already shut down.
        try? await self.client.take()?.shutdown()
    }

    private func send(_ requests: [WebhookRequest]) async throws -> [StageFailure?] {
        if self.isRehearsal { return Array(repeating: nil, count: requests.count) }
        let sender = WebhookSender(
            client: self.openClient(), method: HTTPMethod(rawValue: self.settings.method), headers: try self.headers(),
            timeout: self.settings.timeout,
            rule: RetryRule(retries: self.settings.retries, firstWait: self.settings.backoff),
            maxInFlight: self.settings.maxInFlight, logger: self.logger, progress: self.progress)
        return try await sender.send(requests)
    }

    private func openClient() -> HTTPClient {
        if let client = self.client { return client }
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = self.settings.caFile { tls.trustRoots = .file(file) }
        let url = self.settings.url
        var configuration = SecureHTTP.configuration(tls, host: url.isEncrypted ? url.host : nil)
        // A redirect would send the event, including secrets, to a destination that was not checked.
        configuration.redirectConfiguration = .disallow
        // The stage itself counts and times the attempts.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = self.settings.maxInFlight
        configuration.timeout.connect = TimeAmount(self.settings.timeout)
        let client = HTTPClient(configuration: configuration)
        self.client = client
        return client
    }

    /// Returns the headers of this batch's requests. Files are read again for each batch, so a new secret takes effect
    /// without a restart.
    private func headers() throws -> [WebhookHeader] {
        var headers = self.settings.headers.map { WebhookHeader(name: $0.name, value: $0.value) }
        if let path = self.settings.headersFile {
            headers += try WebhookHeader.parse(try SecretFile.read(path), path: path)
        }
        if let path = self.settings.authorizationFile {
            let header = WebhookHeader(name: "Authorization", value: try SecretFile.read(path))
            if header.mistake != nil {
                throw WebhookHeader.FileMistake(description: "\(path): not a valid header value: it has several lines")
            }
            headers.append(header)
        }
        return headers
    }

    private func request(_ event: borrowing Event) throws(StageFailure) -> WebhookRequest {
        let values = self.fields.values(of: event)
        // The elements of an entry are requests of their own, and have the same keys when the entry is replayed.
        let id = EventID(event.orderID, element: event.element)
        var body: [UInt8] = []
        switch self.settings.body {
        case .fields: JSONText.append(values, to: &body)
        case .entry:
            body.append(UInt8(ascii: "{"))
            JSONText.appendMember("stream", event.stream, to: &body)
            body.append(UInt8(ascii: ","))
            JSONText.appendMember("entry", id.description, to: &body)
            body += Array(#","fields":"#.utf8)
            JSONText.append(values, to: &body)
            body.append(UInt8(ascii: "}"))
        }
        let url: String
        if let literal = self.settings.url.template.literal {
            url = literal
        } else {
            url = try WebhookURL.text(self.url, for: event)
        }
        return WebhookRequest(url: url, body: body, idempotencyKey: Self.key(stream: event.stream, id: id))
    }

    /// Returns the key that identifies the event whenever its entry is read: `orders/1700000000000-0`, or
    /// `orders/1700000000000-0#2` for an element. Characters that a header must not contain are percent-encoded.
    static func key(stream: String, id: EventID) -> String {
        var key = ""
        for byte in stream.utf8 {
            if byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "%") {
                key.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                key += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return "\(key)/\(id)"
    }
}
