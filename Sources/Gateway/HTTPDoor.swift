import HTTPBase
import NIOCore
import NIOHTTP1
import StageKit

/// Answers requests: from a request's head to the bytes of the response, without I/O.
///
/// One instance belongs to one connection; it keeps memory between requests.
struct HTTPDoor: ~Copyable {
    /// What all connections share.
    let parts: HTTPDoorParts
    private var finder: KeyFinder
    private var values = GatewayValues()
    /// The number of tokens in the request.
    private var tokens = 0
    /// Whether the request carries the token, if one is required.
    private(set) var isAuthorized = false

    /// A request's head, read. The door itself keeps the session's key until the next head.
    struct Inquiry {
        /// Whether the request carries the token, if one is required.
        var isAuthorized: Bool
        /// Whether the response is the last of the connection.
        var isLast: Bool
        /// Whether the client waits for permission to send the body.
        var expectsContinue: Bool
        /// The announced number of bytes of the body; 0 if the request has none, or does not announce it.
        var bodyBytes = 0
    }

    /// Creates a door for a connection.
    init(_ parts: HTTPDoorParts) {
        self.parts = parts
        self.finder = KeyFinder(parts.sources)
    }

    /// Reads a request's head. Target, method, Host and Origin do not matter: they are the client's.
    mutating func read(_ head: HTTPRequestHead) -> Inquiry {
        self.begin()
        // The codec parses nothing more after a request that asks for another protocol.
        var isLast = head.version != .http1_1 || head.method == .CONNECT || !head.isKeepAlive
        var expectsContinue = false
        var bodyBytes = 0
        for (name, value) in head.headers {
            switch self.readHeader(name.utf8.span, value.utf8.span) {
            case .upgrade: isLast = true
            case .expect: expectsContinue = expectsContinue || ASCIIText.equals(value.utf8.span, "100-continue")
            // The codec accepts only one, of digits.
            case .contentLength: bodyBytes = Int(value) ?? .max
            default: break
            }
        }
        return Inquiry(
            isAuthorized: self.isAuthorized, isLast: isLast, expectsContinue: expectsContinue, bodyBytes: bodyBytes)
    }

    /// Begins to read a head.
    mutating func begin() {
        self.finder.reset()
        self.tokens = 0
        self.isAuthorized = self.parts.token == nil
    }

    /// Reads a header; returns it if it concerns the request or the connection.
    mutating func readHeader(_ name: Span<UInt8>, _ value: Span<UInt8>) -> SpecialHeader? {
        self.finder.read(name, value)
        let header = SpecialHeader(name)
        if header == .token, let token = self.parts.token {
            self.tokens += 1
            self.isAuthorized = self.tokens == 1 && AccessToken.equals(value, token)
        }
        return header
    }

    /// Decides about the request whose head was read last, and appends the response.
    ///
    /// - Returns: The decision, or `nil` if the request does not carry the token; the connection ends then.
    mutating func answer(_ inquiry: Inquiry, isLast: Bool, into output: inout ByteBuffer) -> GatewayDecision? {
        guard inquiry.isAuthorized else {
            output.writeBytes(self.parts.unauthorized)
            return nil
        }
        let decision = self.decide()
        guard decision == .allowed, !self.parts.headerStarts.isEmpty else {
            output.writeImmutableBuffer(self.parts.response(decision, isLast: isLast))
            return decision
        }
        output.writeImmutableBuffer(self.parts.allowedStart(isLast: isLast))
        for index in self.parts.headerStarts.indices {
            output.writeBytes(self.parts.headerStarts[index])
            output.writeBytes(self.values.bytes[self.values.range(index)])
            output.writeStaticString("\r\n")
        }
        output.writeStaticString("\r\n")
        return decision
    }

    private mutating func decide() -> GatewayDecision {
        guard let key = self.finder.key else { return .missing }
        self.values.removeAll()
        let bytes = self.finder.bytes
        let decision = self.parts.store.decide(bytes.span.extracting(key), &self.values)
        guard decision == .allowed, !self.parts.headerStarts.isEmpty else { return decision }
        guard self.values.ends.count == self.parts.headerStarts.count, self.values.areSafe else { return .refused }
        return .allowed
    }
}

/// What the connections of an HTTP door share: its store and the parts of its responses, rendered once.
final class HTTPDoorParts: Sendable, CustomReflectable {
    /// The store that decides.
    let store: any GatewayStore
    /// The sources of the key.
    let sources: [KeySource]
    /// The token that requests must carry, or `nil` for none.
    let token: [UInt8]?
    /// `Name: ` of each header with a field.
    let headerStarts: [[UInt8]]
    /// The response to a request without the token.
    let unauthorized: [UInt8]
    /// Whole responses by decision; then those that end the connection.
    private let responses: [ByteBuffer]
    /// The beginnings of the response to an allowed session, to which the headers are added: for a connection that
    /// continues, and for one that ends.
    private let allowedStarts: [ByteBuffer]

    /// Empty: loggers print a service's properties, and the token must not be logged.
    var customMirror: Mirror { Mirror(self, children: []) }

    /// Renders the responses.
    init(_ settings: HTTPDoorSettings, token: [UInt8]?, store: any GatewayStore) {
        self.store = store
        self.sources = settings.key
        self.token = token
        let names = settings.headers.map { Array("\($0.name): ".utf8) }
        self.headerStarts = names
        let challenge = settings.key.contains(.bearer) ? "WWW-Authenticate: Bearer\r\n" : ""
        let empty = settings.headers.map { "\($0.name): \r\n" }.joined()
        func start(_ decision: GatewayDecision, _ isLast: Bool) -> String {
            let status = settings.answers[decision]
            return HTTPDoorParts.head(status, isLast: isLast) + (status == 401 ? challenge : "")
                + "X-Sluice-Decision: \(decision.name)\r\n"
        }
        self.responses = [false, true].flatMap { isLast in
            GatewayDecision.allCases.map { ByteBuffer(string: start($0, isLast) + empty + "\r\n") }
        }
        self.allowedStarts = [false, true].map { ByteBuffer(string: start(.allowed, $0)) }
        self.unauthorized = Array(HTTPDoorParts.refusal(401).utf8)
    }

    /// The response to a decision.
    func response(_ decision: GatewayDecision, isLast: Bool) -> ByteBuffer {
        self.responses[decision.rawValue + (isLast ? GatewayDecision.allCases.count : 0)]
    }

    /// The beginning of the response to an allowed session.
    func allowedStart(isLast: Bool) -> ByteBuffer { self.allowedStarts[isLast ? 1 : 0] }

    /// The response to a request that is not answered with a decision; the connection ends with it.
    static func refusal(_ status: Int) -> String { Self.head(status, isLast: true) + "\r\n" }

    private static func head(_ status: Int, isLast: Bool) -> String {
        let reason = HTTPResponseStatus(statusCode: status).reasonPhrase
        // 204 has no body and must not have a length (RFC 9110, 8.6).
        return "HTTP/1.1 \(status) \(reason)\r\n" + (status == 204 ? "" : "Content-Length: 0\r\n")
            + "Cache-Control: no-store\r\n" + (isLast ? "Connection: close\r\n" : "")
    }
}
