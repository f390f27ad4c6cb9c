import NIOSSL

/// Holds a certificate's DNS names against the name it must have.
///
/// NIOSSL also accepts a certificate for the IP address it happens to talk to, whatever name was asked for, so that
/// whoever answers name look-ups falsely needs nothing but a certificate for an address. Hence this second look.
enum ServerName {
    /// Whether the certificate is for `name`. One without any alternative names was held against `name` by NIOSSL.
    static func isNamed(_ name: String, by certificate: NIOSSLCertificate) -> Bool {
        var patterns: [String] = []
        var hasNames = false
        for alternative in certificate._subjectAlternativeNames() {
            hasNames = true
            if alternative.nameType == .dnsName {
                patterns.append(String(decoding: alternative.contents, as: UTF8.self))
            }
        }
        return !hasNames || patterns.contains { self.matches(name, pattern: $0) }
    }

    /// Whether a DNS name matches a pattern: equal but for case and a dot at the end, or `*` for the first label whole
    /// (RFC 6125, section 6.4).
    static func matches(_ name: String, pattern: String) -> Bool {
        let (name, pattern) = (self.labels(name), self.labels(pattern))
        guard name.count == pattern.count, name.allSatisfy({ !$0.isEmpty }) else { return false }
        if pattern.first == "*", pattern.count > 2 { return name.dropFirst() == pattern.dropFirst() }
        return name == pattern
    }

    private static func labels(_ name: String) -> [Substring] {
        let lower = name.lowercased()
        return (lower.hasSuffix(".") ? lower.dropLast() : lower[...])
            .split(separator: ".", omittingEmptySubsequences: false)
    }
}
