import NIOSSL
import StageKit

extension ServerName {
    /// Returns whether a certificate is valid for a name.
    static func isNamed(_ name: String, by certificate: NIOSSLCertificate) -> Bool {
        let alternatives = certificate._subjectAlternativeNames()
        let dnsNames = alternatives.filter { $0.nameType == .dnsName }.map {
            String(decoding: $0.contents, as: UTF8.self)
        }
        return self.isNamed(name, dnsNames: dnsNames, hasAlternatives: !alternatives.isEmpty)
    }
}
