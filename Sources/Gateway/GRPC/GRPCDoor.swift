import HTTPBase
import StageKit

/// Answers `envoy.service.auth.v3.Authorization/Check`: from a request's message to that of the response, without I/O.
///
/// One instance belongs to one connection; it keeps memory between requests. The numbers of the fields are those of
/// https://github.com/envoyproxy/envoy/tree/main/api/envoy/service/auth/v3.
struct GRPCDoor: ~Copyable {
    /// The path of the one method.
    static let path = "/envoy.service.auth.v3.Authorization/Check"

    private let parts: GRPCDoorParts
    private var finder: KeyFinder
    private var values = GatewayValues()

    /// Creates a door for a connection.
    init(_ parts: GRPCDoorParts) {
        self.parts = parts
        self.finder = KeyFinder(parts.sources)
    }

    /// Whether a call carries the token, if one is required.
    ///
    /// - Parameter tokens: The values of the metadata `x-sluice-token`.
    func isAuthorized(_ tokens: [String]) -> Bool {
        guard let token = self.parts.token else { return true }
        return tokens.count == 1 && AccessToken.equals(tokens[0].utf8, token)
    }

    /// Decides about a `CheckRequest` and appends the `CheckResponse`.
    ///
    /// - Returns: The decision, or `nil` if the message is malformed; nothing is appended then.
    mutating func answer(_ message: Span<UInt8>, into output: inout [UInt8]) -> GatewayDecision? {
        self.finder.reset()
        // attributes
        let isValid = Protobuf.read(message) { $0 == 1 ? self.readAttributes(message.extracting($1)) : true }
        guard isValid else { return nil }
        let decision = self.decide()
        if decision == .allowed {
            self.appendAllowed(to: &output)
        } else {
            output += self.parts.denials[decision.rawValue]
        }
        return decision
    }

    /// `AttributeContext`: the request.
    private mutating func readAttributes(_ message: Span<UInt8>) -> Bool {
        Protobuf.read(message) { $0 == 4 ? self.readRequest(message.extracting($1)) : true }
    }

    /// `Request`: the HTTP request.
    private mutating func readRequest(_ message: Span<UInt8>) -> Bool {
        Protobuf.read(message) { $0 == 2 ? self.readHTTPRequest(message.extracting($1)) : true }
    }

    /// `HttpRequest`: the headers, in one of two forms.
    private mutating func readHTTPRequest(_ message: Span<UInt8>) -> Bool {
        Protobuf.read(message) { number, range in
            switch number {
            // headers, a map with combined values.
            case 3: self.readHeader(message.extracting(range))
            // header_map, with encode_raw_headers: each header of its own.
            case 13: self.readHeaderMap(message.extracting(range))
            default: true
            }
        }
    }

    private mutating func readHeaderMap(_ message: Span<UInt8>) -> Bool {
        Protobuf.read(message) { $0 == 1 ? self.readHeader(message.extracting($1)) : true }
    }

    /// An entry of the map or a `HeaderValue`: the name, the value, and in the second the raw value.
    private mutating func readHeader(_ message: Span<UInt8>) -> Bool {
        var (name, value, raw) = (0..<0, 0..<0, 0..<0)
        let isValid = Protobuf.read(message) { number, range in
            switch number {
            case 1: name = range
            case 2: value = range
            case 3: raw = range
            default: break
            }
            return true
        }
        guard isValid else { return false }
        self.finder.read(message.extracting(name), message.extracting(raw.isEmpty ? value : raw))
        return true
    }

    private mutating func decide() -> GatewayDecision {
        guard let key = self.finder.key else { return .missing }
        self.values.removeAll()
        let bytes = self.finder.bytes
        let decision = self.parts.store.decide(bytes.span.extracting(key), &self.values)
        guard decision == .allowed, !self.parts.headers.isEmpty else { return decision }
        guard self.values.ends.count == self.parts.headers.count, self.values.areSafe, self.areTexts else {
            return .refused
        }
        return .allowed
    }

    /// Whether all values are UTF-8, as a text in a message must be.
    private var areTexts: Bool {
        self.values.ends.indices.allSatisfy { index in
            String(validating: self.values.bytes[self.values.range(index)], as: UTF8.self) != nil
        }
    }

    /// `status` OK and an `ok_response` with the headers. A header without a value is removed from the client's request.
    private mutating func appendAllowed(to output: inout [UInt8]) {
        var response: [UInt8] = []
        for (index, name) in self.parts.headers.enumerated() {
            let value = self.values.bytes[self.values.range(index)]
            if value.isEmpty {
                // headers_to_remove
                response.appendField(5, name)
                continue
            }
            var header: [UInt8] = []
            header.appendField(1, name)
            header.appendField(2, value)
            var option: [UInt8] = []
            option.appendField(1, header)
            // append, a message with the value false: the client's own header is replaced.
            option.appendField(2, [UInt8]())
            response.appendField(2, option)
        }
        output.appendField(1, [UInt8]())
        output.appendField(3, response)
    }
}

/// What the connections of a gRPC door share: its store and the responses to refused requests, rendered once.
final class GRPCDoorParts: Sendable, CustomReflectable {
    /// The store that decides.
    let store: any GatewayStore
    /// The sources of the key.
    let sources: [KeySource]
    /// The token that calls must carry, or `nil` for none.
    let token: [UInt8]?
    /// The names of the headers with fields, in lower case as in HTTP/2.
    let headers: [[UInt8]]
    /// The `CheckResponse` of each decision but `allowed`, by raw value.
    let denials: [[UInt8]]

    /// Empty: loggers print a service's properties, and the token must not be logged.
    var customMirror: Mirror { Mirror(self, children: []) }

    /// Renders the responses.
    init(_ settings: HTTPDoorSettings, token: [UInt8]?, store: any GatewayStore) {
        self.store = store
        self.sources = settings.key
        self.token = token
        self.headers = settings.headers.map { Array($0.name.lowercased().utf8) }
        let challenges = settings.key.contains(.bearer)
        self.denials = GatewayDecision.allCases.map { Self.denial($0, settings.answers, challenges: challenges) }
    }

    /// `status` with the reason, and a `denied_response` with the HTTP status.
    private static func denial(_ decision: GatewayDecision, _ answers: HTTPAnswers, challenges: Bool) -> [UInt8] {
        var status: [UInt8] = []
        status.appendField(1, Self.code(decision).rawValue)
        status.appendField(2, decision.name.utf8)
        var httpStatus: [UInt8] = []
        httpStatus.appendField(1, answers[decision])
        var denied: [UInt8] = []
        denied.appendField(1, httpStatus)
        if answers[decision] == 401, challenges {
            var header: [UInt8] = []
            header.appendField(1, "www-authenticate".utf8)
            header.appendField(2, "Bearer".utf8)
            var option: [UInt8] = []
            option.appendField(1, header)
            denied.appendField(2, option)
        }
        var response: [UInt8] = []
        response.appendField(1, status)
        response.appendField(2, denied)
        return response
    }

    private static func code(_ decision: GatewayDecision) -> GRPCStatus {
        switch decision {
        case .missing, .absent: .unauthenticated
        case .stale: .unavailable
        // Only denials are rendered here: anything else refuses too.
        case .refused, .allowed: .permissionDenied
        }
    }
}

/// The status codes of gRPC that are used here.
enum GRPCStatus: Int, Sendable {
    case ok = 0
    case invalidArgument = 3
    case permissionDenied = 7
    case resourceExhausted = 8
    case unimplemented = 12
    case unavailable = 14
    case unauthenticated = 16
}
