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

    /// A request's head, read.
    struct Inquiry {
        /// The session's key, or `nil` if there is none.
        var key: Substring?
        /// Whether the request carries the token, if one is required.
        var isAuthorized: Bool
        /// Whether the response is the last of the connection.
        var isLast: Bool
        /// Whether the client waits for permission to send the body.
        var expectsContinue: Bool
    }

    /// Creates a door for a connection.
    init(_ parts: HTTPDoorParts) {
        self.parts = parts
        self.finder = KeyFinder(parts.sources)
    }

    /// Reads a request's head. Target, method, Host and Origin do not matter: they are the client's.
    mutating func read(_ head: HTTPRequestHead) -> Inquiry {
        self.finder.reset()
        var isAuthorized = self.parts.token == nil
        var tokens = 0
        // The codec parses nothing more after a request that asks for another protocol.
        var isLast = head.version != .http1_1 || head.method == .CONNECT || !head.isKeepAlive
        var expectsContinue = false
        for (name, value) in head.headers {
            switch name.utf8.count {
            case Self.upgrade.count where KeyFinder.equals(name, Self.upgrade): isLast = true
            case Self.expect.count where KeyFinder.equals(name, Self.expect):
                expectsContinue = expectsContinue || KeyFinder.equals(value, Self.continueName)
            case Self.tokenName.count where KeyFinder.equals(name, Self.tokenName):
                if let token = self.parts.token {
                    tokens += 1
                    isAuthorized = tokens == 1 && AccessToken.equals(value.utf8, token)
                }
            default: break
            }
            self.finder.read(name, value)
        }
        return Inquiry(
            key: self.finder.key, isAuthorized: isAuthorized, isLast: isLast, expectsContinue: expectsContinue)
    }

    /// Decides about a request and appends the response.
    ///
    /// - Returns: The decision, or `nil` if the request does not carry the token; the connection ends then.
    mutating func answer(_ inquiry: Inquiry, isLast: Bool, into output: inout ByteBuffer) -> GatewayDecision? {
        guard inquiry.isAuthorized else {
            output.writeBytes(self.parts.unauthorized)
            return nil
        }
        let decision = self.decide(inquiry.key)
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

    private mutating func decide(_ key: Substring?) -> GatewayDecision {
        guard let key else { return .missing }
        self.values.removeAll()
        let decision = self.parts.store.decide(key.utf8.span, &self.values)
        guard decision == .allowed, !self.parts.headerStarts.isEmpty else { return decision }
        guard self.values.ends.count == self.parts.headerStarts.count, self.values.areSafe else { return .refused }
        return .allowed
    }

    private static let upgrade = Array("upgrade".utf8)
    private static let expect = Array("expect".utf8)
    private static let continueName = Array("100-continue".utf8)
    private static let tokenName = Array("x-sluice-token".utf8)
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
