import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import NIOSSL
import StageKit

/// Who may use the HTTP side: read once, from the settings and the files they name.
public struct AdminAccess: Sendable {
    /// The token that requests have to bear; nil for none.
    var token: [UInt8]?
    /// Names by which requests may call the server; nil for any.
    var hosts: Set<String>?
    /// The server's certificate and whose clients it takes; nil without encryption.
    var tls: TLSConfiguration?

    /// Paths that need no token: the page holds nothing of the worker's, and probes cannot hold secrets.
    static let openPaths: Set<String> = ["/", "/livez", "/readyz"]

    /// Lets everybody in who reaches the server.
    public init() {}

    /// Why a request is refused; nil if it is not.
    func refusal(_ request: HTTPRequest) -> AdminFailure? {
        let host = Self.host(request.authority ?? "")
        if let hosts = self.hosts, !host.isEmpty, !Self.isLocal(host), !hosts.contains(host) {
            // A page from elsewhere has had its name point here: its scripts must not read what only this machine may.
            return AdminFailure(
                status: .misdirectedRequest, code: "unknown_host",
                message: "this server is not called \"\(host)\"; admin.hosts lists the names that it may have")
        }
        if let origin = request.headerFields[.origin], !Self.isSame(origin, request.authority) {
            return Self.crossOrigin
        }
        if Self.isFromOtherSite(request) { return Self.crossOrigin }
        if self.isAuthorized(request) || Self.openPaths.contains(Self.path(request)) { return nil }
        return AdminFailure(
            status: .unauthorized, code: "unauthorized",
            message: "a token is needed: send it as \"Authorization: Bearer TOKEN\"")
    }

    /// Whether a request shows that its client may use the server: it is not refused, and asks for something that not
    /// everybody gets.
    func isProof(_ request: HTTPRequest) -> Bool {
        self.refusal(request) == nil && !Self.openPaths.contains(Self.path(request))
    }

    /// Whether a browser says that a page of another site makes the request. A link to the dashboard may stand anywhere;
    /// nothing else here is for other pages, whose requests carry the user's client certificate and network position.
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
        status: .forbidden, code: "cross_origin", message: "pages of other sites may not ask this server")

    /// The path without the query.
    private static func path(_ request: HTTPRequest) -> String {
        String((request.path ?? "").prefix { $0 != "?" })
    }

    /// Whether a request bears the token, where one is needed; takes the same time whatever token it bears.
    func isAuthorized(_ request: HTTPRequest) -> Bool {
        guard let token = self.token else { return true }
        let scheme = "bearer "
        guard let header = request.headerFields[.authorization], header.utf8.count > scheme.utf8.count,
            header.prefix(scheme.count).lowercased() == scheme
        else { return false }
        return Self.equals(Array(header.utf8.dropFirst(scheme.utf8.count)), token)
    }

    /// Whether two byte strings are the same, in a time that depends on the length of the first alone.
    static func equals(_ given: [UInt8], _ secret: [UInt8]) -> Bool {
        var difference = given.count ^ secret.count
        for index in given.indices { difference |= Int(given[index] ^ secret[index % secret.count]) }
        return difference == 0
    }

    /// The HTTP server with encryption, where there is any.
    func server(_ plain: HTTPServerBuilder) throws -> HTTPServerBuilder {
        guard let tls = self.tls else { return plain }
        return try .tls(plain, tlsConfiguration: tls)
    }

    /// The name in `name:port`, in small letters.
    private static func host(_ authority: String) -> String {
        guard authority.last != "]", let colon = authority.lastIndex(of: ":") else { return authority.lowercased() }
        return authority[..<colon].lowercased()
    }

    private static func isLocal(_ host: String) -> Bool {
        host == "localhost" || host == "[::1]" || AdminAddress.isLoopback(host[...])
    }

    private static func isSame(_ origin: String, _ authority: String?) -> Bool {
        guard let authority else { return false }
        return origin.lowercased() == "http://\(authority.lowercased())"
            || origin.lowercased() == "https://\(authority.lowercased())"
    }
}

extension AdminAccess: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// What is asked of a request, never the token itself.
    public var description: String {
        let needs = [self.token == nil ? nil : "token", self.tls == nil ? nil : "TLS"].compactMap(\.self)
        return needs.isEmpty ? "open" : needs.joined(separator: " and ")
    }

    /// The same as `description`.
    public var debugDescription: String { self.description }

    /// Nothing to look into: whoever logs a service logs what is in it.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Refuses what `AdminAccess` refuses, before any route sees it.
struct AccessCheck<Context: RequestContext>: RouterMiddleware {
    /// Who may use the server.
    let access: AdminAccess

    /// Answers a request, or refuses it.
    @concurrent func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        if let refusal = self.access.refusal(request.head) { throw refusal }
        return try await next(request, context)
    }
}
