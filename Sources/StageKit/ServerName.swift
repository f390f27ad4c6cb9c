/// Compares the DNS names of a server's certificate with the name that it must have.
///
/// NIOSSL also accepts a certificate for the IP address that it happens to talk to, whatever name was asked for, so that
/// an attacker who can forge DNS answers needs nothing but a certificate for an address. Every TLS client of Sluice
/// therefore checks the name a second time, before it sends anything.
package enum ServerName {
    /// Whether a certificate is for a name.
    ///
    /// - Parameters:
    ///   - name: The DNS name that was asked for.
    ///   - dnsNames: The certificate's alternative names that are DNS names.
    ///   - hasAlternatives: Whether it has alternative names of any kind. NIOSSL has compared one without any with `name`.
    package static func isNamed(_ name: String, dnsNames: [String], hasAlternatives: Bool) -> Bool {
        !hasAlternatives || dnsNames.contains { self.matches(name, pattern: $0) }
    }

    /// Whether a DNS name matches a pattern: equal but for case and a dot at the end, or `*` for the first label whole
    /// (RFC 6125, section 6.4).
    package static func matches(_ name: String, pattern: String) -> Bool {
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
