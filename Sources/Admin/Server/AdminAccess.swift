import HTTPBase
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import NIOSSL
import StageKit

/// The access rules of the HTTP interface, read once from the settings and the files they name.
public struct AdminAccess: Sendable {
    /// The token that requests must carry, or `nil` if none is required.
    var token: [UInt8]?
    /// A token that permits only lookups and following revocations, or `nil` for none; then `token` is set too.
    var lookupToken: [UInt8]?
    /// Host names that requests may use, or `nil` for any.
    var hosts: Set<String>?
    /// The server's certificate and the CA bundle for clients, or `nil` without encryption.
    var tls: TLSConfiguration?

    /// Paths that need no token: the page contains no data of the worker, and probes cannot hold secrets.
    static let openPaths: Set<String> = ["/", "/livez", "/readyz"]

    /// Allows every client that can reach the server.
    public init() {}

    /// Returns the reason why a request is refused, or `nil` if it is not.
    func refusal(_ request: HTTPRequest) -> AdminFailure? {
        let host = Self.host(request.authority ?? "")
        if let hosts = self.hosts, !host.isEmpty, !Self.isLocal(host), !hosts.contains(host) {
            // Protects against DNS rebinding: a page whose host name was pointed here must not read data that is only
            // for this machine.
            return AdminFailure(
                status: .misdirectedRequest, code: "unknown_host",
                message: "\"\(host)\" is not a name of this server: add it to admin.hosts")
        }
        if let origin = request.headerFields[.origin], !Self.isSame(origin, request.authority) {
            return Self.crossOrigin
        }
        if Self.isFromOtherSite(request) { return Self.crossOrigin }
        if Self.openPaths.contains(Self.path(request)) { return nil }
        switch self.rights(of: request) {
        case .all: return nil
        case .lookups:
            if Self.isForGateways(Self.path(request)) { return nil }
            return AdminFailure(
                status: .forbidden, code: "forbidden",
                message: "this token permits only lookups of a key (/v1/stores/STORE/KEY) and /v1/revocations")
        case .none: break
        }
        return AdminFailure(
            status: .unauthorized, code: "unauthorized",
            message: "a token is required: send \"Authorization: Bearer TOKEN\"")
    }

    /// Whether a request proves that its client has access: it is not refused, and its path is not open to everybody.
    func isProof(_ request: HTTPRequest) -> Bool {
        self.refusal(request) == nil && !Self.openPaths.contains(Self.path(request))
    }

    /// Whether the browser reports that a page of another site makes the request. Links to the dashboard are allowed
    /// everywhere; all other paths are closed to pages of other sites, because their requests carry the user's client
    /// certificate and network position.
    private static func isFromOtherSite(_ request: HTTPRequest) -> Bool {
        guard let site = request.headerFields[.init("Sec-Fetch-Site")!], site != "same-origin", site != "none" else {
            return false
        }
        let isNavigation =
            request.headerFields[.init("Sec-Fetch-Mode")!] == "navigate"
            && request.headerFields[.init("Sec-Fetch-Dest")!] == "document"
        return !(isNavigation && self.path(request) == "/")
    }

    private static let crossOrigin = AdminFailure(
        status: .forbidden, code: "cross_origin", message: "requests from pages of other sites are refused")

    /// Returns the path without the query.
    private static func path(_ request: HTTPRequest) -> String {
        String((request.path ?? "").prefix { $0 != "?" })
    }

    /// What a request may do.
    private enum Rights {
        case none
        case lookups
        case all
    }

    /// Whether a request may do everything.
    func isAuthorized(_ request: HTTPRequest) -> Bool { self.rights(of: request) == .all }

    /// Returns the rights of a request's token; takes the same time for every token of a length.
    private func rights(of request: HTTPRequest) -> Rights {
        guard let token = self.token else { return .all }
        let scheme = "bearer "
        guard let header = request.headerFields[.authorization], header.utf8.count > scheme.utf8.count,
            header.prefix(scheme.count).lowercased() == scheme
        else { return .none }
        let given = Array(header.utf8.dropFirst(scheme.utf8.count))
        let isLookup = self.lookupToken.map { AccessToken.equals(given, $0) } ?? false
        if AccessToken.equals(given, token) { return .all }
        return isLookup ? .lookups : .none
    }

    /// Whether a path is a lookup of one key or the revocation feed.
    private static func isForGateways(_ path: String) -> Bool {
        if path == "/v1/revocations" { return true }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 5 && parts[0].isEmpty && parts[1] == "v1" && parts[2] == "stores" && !parts[3].isEmpty
            && !parts[4].isEmpty
    }

    /// Returns the HTTP server, with TLS if it is configured.
    func server(_ plain: HTTPServerBuilder) throws -> HTTPServerBuilder {
        guard let tls = self.tls else { return plain }
        return try .tls(plain, tlsConfiguration: tls)
    }

    /// Returns the name in `name:port`, in lower case.
    private static func host(_ authority: String) -> String {
        guard authority.last != "]", let colon = authority.lastIndex(of: ":") else { return authority.lowercased() }
        return authority[..<colon].lowercased()
    }

    private static func isLocal(_ host: String) -> Bool {
        host == "localhost" || host == "[::1]" || ListenAddress.isLoopback(host[...])
    }

    private static func isSame(_ origin: String, _ authority: String?) -> Bool {
        guard let authority else { return false }
        return origin.lowercased() == "http://\(authority.lowercased())"
            || origin.lowercased() == "https://\(authority.lowercased())"
    }
}

extension AdminAccess: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The requirements for a request, without the token itself.
    public var description: String {
        let needs = [self.token == nil ? nil : "token", self.tls == nil ? nil : "TLS"].compactMap(\.self)
        return needs.isEmpty ? "open" : needs.joined(separator: " and ")
    }

    /// The same as `description`.
    public var debugDescription: String { self.description }

    /// Empty: loggers print a service's properties, and the token must not be logged.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Refuses requests that `AdminAccess` does not allow, before any route handles them.
struct AccessCheck<Context: RequestContext>: RouterMiddleware {
    /// The access rules.
    let access: AdminAccess

    /// Answers a request, or refuses it.
    @concurrent func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        if let refusal = self.access.refusal(request.head) { throw refusal }
        return try await next(request, context)
    }
}
