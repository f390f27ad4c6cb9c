/// Compares the DNS names of a server's certificate with the expected name.
///
/// NIOSSL also accepts a certificate for the IP address of the connection, whatever name was requested, so an attacker
/// who can forge DNS answers only needs a certificate for an address. Every TLS client of Sluice therefore checks the
/// name a second time before it sends anything.
package enum ServerName {
    /// Returns whether a certificate is for a name.
    ///
    /// - Parameters:
    ///   - name: The requested DNS name.
    ///   - dnsNames: The DNS names among the certificate's alternative names.
    ///   - hasAlternatives: Whether the certificate has alternative names of any kind. NIOSSL has already compared a
    ///     certificate without any with `name`.
    package static func isNamed(_ name: String, dnsNames: [String], hasAlternatives: Bool) -> Bool {
        !hasAlternatives || dnsNames.contains { self.matches(name, pattern: $0) }
    }

    /// Returns whether a DNS name matches a pattern: equal except for case and a trailing dot, or with `*` in place of
    /// the complete first label (RFC 6125, section 6.4).
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
