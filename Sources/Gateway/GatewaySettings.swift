public import ComponentKit
public import HTTPBase
public import StageKit

/// The section `gateway` of the file: who may pass, and the doors at which gateways ask.
public struct GatewaySettings: Sendable {
    /// The condition that a session must meet.
    public enum Allow: Sendable {
        /// A condition of the store, by its name.
        case named(LocatedName)
        /// A condition of this section.
        case condition(ConditionSettings)
    }

    /// The store with the sessions.
    public var store = LocatedName.unread
    /// The condition that a session must meet, or `nil` if only the Redis door is declared, which does not use it.
    public var allow: Allow?
    /// The HTTP door, or `nil` for none.
    public var http: HTTPDoorSettings?
    /// The gRPC door, or `nil` for none.
    public var grpc: HTTPDoorSettings?
    /// The Redis door, or `nil` for none.
    public var redis: RedisDoorSettings?

    /// The setting type of the section.
    public static let type: SettingType<GatewaySettings> = {
        let object = SettingType<GatewaySettings>.object(
            SettingsSchema(
                GatewaySettings(),
                [
                    .required("store", \.store, .name, "The memory store with the sessions, as declared under stores."),
                    .optional(
                        "allow", \.allow, .optional(Self.allowType),
                        "What a session must meet: a condition as in when, or the name of one of the store's."
                            + " Required by http and grpc."),
                    .optional(
                        "http", \.http, .optional(HTTPDoorSettings.type(.http)),
                        "The HTTP door: authorization requests of nginx, Envoy, Caddy, Traefik and others."),
                    .optional(
                        "grpc", \.grpc, .optional(HTTPDoorSettings.type(.grpc)),
                        "The gRPC door: Check of Envoy's service.auth.v3.Authorization."),
                    .optional(
                        "redis", \.redis, .optional(RedisDoorSettings.type),
                        "The Redis door: clients of Redis read sessions, and cache them."),
                ], alternatives: [.atLeastOne("http", "grpc", "redis")]))
        return SettingType(shape: object.shape) { node, issues in
            guard let settings = object.decode(node, &issues) else { return nil }
            let count = issues.all.count
            settings.check(node, &issues)
            return issues.all.count == count ? settings : nil
        }
    }()

    private func check(_ node: SettingNode, _ issues: inout SettingIssues) {
        let doors = [
            ("http", self.http?.listen), ("grpc", self.grpc?.listen), ("redis", self.redis?.listen),
        ].compactMap { name, listen in listen.map { (name: name, listen: $0) } }
        if doors.isEmpty { return issues.add("no door is declared: add http, grpc or redis", at: node.position) }
        if self.http != nil || self.grpc != nil, self.allow == nil {
            issues.add("missing setting \"allow\"", at: node.position)
        }
        for (index, door) in doors.enumerated() {
            for other in doors[..<index] {
                for address in door.listen where other.listen.contains(address) {
                    if case .tcp(_, 0) = address { continue }
                    issues.add(
                        "\(door.name): listen: \(address) is an address of \(other.name) already",
                        at: node[door.name]?["listen"]?.position ?? node.position)
                }
            }
        }
    }

    /// The section for the catalogue.
    public static let section = SectionType(
        name: "gateway", summary: "Answers gateways' requests whether a session may pass.", settings: Self.type)

    private static let allowType = SettingType<Allow>(
        shape: .either([.nonBlankText, SettingType<ConditionSettings>.condition.shape])
    ) { node, issues in
        if case .scalar(let text, _) = node.content, Self.isName(text) {
            return SettingType<LocatedName>.name.decode(node, &issues).map { .named($0) }
        }
        if case .scalar(let text, _) = node.content, text.allSatisfy(\.isWhitespace) {
            issues.add("must not be blank", at: node.position)
            return nil
        }
        return SettingType<ConditionSettings>.condition.decode(node, &issues).map { .condition($0) }
    }

    /// Whether a text is the name of a condition and not an expression: letters, digits, `_`, `-` and `.` only.
    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isLetter || $0.isNumber || "_-.".contains($0) }
    }
}

/// The settings `gateway.http` and `gateway.grpc`.
public struct HTTPDoorSettings: Sendable {
    /// The addresses to listen on.
    public var listen: [ListenAddress] = []
    /// The permissions of the Unix sockets, or `nil` for the default.
    public var mode: UInt32?
    /// The group of the Unix sockets, or `nil` for the worker's own.
    public var group: LocatedName?
    /// The places in which the key is looked for, in order.
    public var key: [KeySource] = []
    /// The status of the response to each decision.
    public var answers = HTTPAnswers()
    /// The headers of a response, and the fields whose values they have.
    public var headers: [NamedSetting<LocatedName>] = []
    /// The number of threads that answer requests.
    public var threads = 1
    /// The token that requests must carry, or empty if none is required.
    public var token = ""
    /// The file that contains the token.
    public var tokenFile: LocatedName?
    /// TLS settings, or `nil` if connections are not encrypted.
    public var tls: ServerTLS?

    /// The schema of the settings.
    private static let schema = SettingsSchema(
        HTTPDoorSettings(),
        [
            .required(
                "listen", \.listen, .list(of: ListenAddress.type, orSingle: true, minimum: 1),
                "Address or addresses. One that other machines reach needs a token or tls with client_ca_file.")
        ] + SocketAccess.fields(\.mode, \.group) + [
            .required(
                "key", \.key, .list(of: KeySource.type, minimum: 1),
                "Where requests have the session's key; the first of these places that has one counts."),
            .optional("answers", \.answers, HTTPAnswers.type, "Status of the response to each decision."),
            .optional(
                "headers", \.headers, .map(of: .name), default: "{}",
                "Headers of every response with the session's fields; empty if there is no value."),
            .optional(
                "threads", \.threads, .integer(GatewayLimits.threads), default: "1",
                "Threads that answer requests; one answers tens of thousands per second."),
            .optional(
                "token", \.token, .secret, default: "",
                "Token that requests must carry (X-Sluice-Token: TOKEN)."),
            .optional("token_file", \.tokenFile, .optional(.name), "A file that holds the token."),
            .optional("tls", \.tls, .optional(ServerTLS.type), "How connections are encrypted."),
        ])

    /// The setting type of the door for requests of a form.
    static func type(_ form: DoorForm) -> SettingType<HTTPDoorSettings> {
        let object = SettingType<HTTPDoorSettings>.object(Self.schema)
        return SettingType(shape: object.shape) { node, issues in
            guard let settings = object.decode(node, &issues) else { return nil }
            let count = issues.all.count
            var addresses = settings.addresses
            addresses.hasSecret = AccessToken.check(settings.token, file: settings.tokenFile, node, &issues)
            addresses.check(door: form.rawValue, secret: "token_file (or token: ${NAME})", node, &issues)
            settings.checkHeaders(node, &issues)
            if form == .grpc, let status = node["answers"]?["allowed"] {
                issues.add("answers: allowed: the response to an allowed session has no status", at: status.position)
            }
            return issues.all.count == count ? settings : nil
        }
    }

    /// The addresses, and what protects them.
    var addresses: DoorAddresses {
        DoorAddresses(
            listen: self.listen, mode: self.mode, group: self.group, tls: self.tls,
            hasSecret: !self.token.isEmpty || self.tokenFile != nil)
    }

    private func checkHeaders(_ node: SettingNode, _ issues: inout SettingIssues) {
        if self.headers.count > GatewayLimits.headers {
            issues.add("headers: at most \(GatewayLimits.headers)", at: self.headers[GatewayLimits.headers].position)
        }
        if self.key.count > GatewayLimits.sources {
            issues.add("key: at most \(GatewayLimits.sources) places", at: node["key"]?.position ?? node.position)
        }
        var seen: Set<String> = []
        for header in self.headers {
            let name = header.name.lowercased()
            if !HeaderName.isValid(header.name) {
                issues.add("headers: \(header.name): not the name of a header", at: header.position)
            } else if HeaderName.reserved.contains(name) {
                issues.add(
                    "headers: \(header.name): a response of the door cannot carry this header", at: header.position)
            } else if !seen.insert(name).inserted {
                issues.add(
                    "headers: \(header.name): given twice; header names ignore case", at: header.position)
            }
        }
    }
}

/// Names of headers.
enum HeaderName {
    /// Names, in lower case, of headers that the door sets itself, or that belong to the connection or to the form of
    /// the message.
    static let reserved: Set<String> = [
        "cache-control", "connection", "content-encoding", "content-length", "content-type", "date", "expect", "host",
        "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        "www-authenticate", "x-sluice-decision", "x-sluice-token",
    ]

    /// Whether a text is a token, the form of a name (RFC 9110, 5.1 and 5.6.2).
    static func isValid(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "a")...UInt8(ascii: "z"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}
