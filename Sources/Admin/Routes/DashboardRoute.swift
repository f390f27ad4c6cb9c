import Hummingbird

/// `/`: the dashboard, one self-contained page; its data comes from `/v1/live` and `/v1/explain`.
///
/// The page itself contains no data of the worker. Its content security policy allows no script but its own, whatever
/// values the stream contains, and no requests to other servers.
struct DashboardRoute {
    private let head: String
    private let style: String
    private let body: String
    private let script: String

    /// Reads the parts of the page.
    init() {
        let page = String(decoding: PackageResources.page_html, as: UTF8.self)
        let parts = page.split(separator: "<!--style-->", maxSplits: 1)
        self.head = String(parts.first ?? "")
        self.body = String(parts.last ?? "")
        self.style = String(decoding: PackageResources.page_css, as: UTF8.self)
        self.script = String(decoding: PackageResources.page_js, as: UTF8.self)
    }

    /// Adds the route.
    func add(to router: AdminRouter) {
        router.get("/") { _, _ in self.response() }
    }

    private func response() -> Response {
        // A new nonce for each response: the page's own script may run, injected scripts may not.
        let nonce = (0..<2).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
        let page =
            "\(self.head)<style nonce=\"\(nonce)\">\(self.style)</style>\(self.body)"
            + "<script nonce=\"\(nonce)\">\(self.script)</script>\n"
        var headers = Self.fixedHeaders
        headers[.contentType] = "text/html; charset=utf-8"
        headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; "
            + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: page)))
    }

    private static let fixedHeaders: HTTPFields = {
        var fields = HTTPFields()
        fields[.init("X-Frame-Options")!] = "DENY"
        fields[.init("Referrer-Policy")!] = "no-referrer"
        fields[.init("Cross-Origin-Opener-Policy")!] = "same-origin"
        return fields
    }()
}
