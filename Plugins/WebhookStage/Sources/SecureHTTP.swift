package import AsyncHTTPClient
import NIOCore
package import NIOSSL
import StageKit

/// The HTTPS configuration of every connection of Sluice: TLS 1.2 or newer, with the server's certificate chain and
/// name verified.
package enum SecureHTTP {
    /// The server's certificate is for another name.
    package struct OtherName: Error, CustomStringConvertible {
        /// The requested name.
        package let name: String
        /// The message, with the remedy.
        package var description: String {
            "the server's certificate is for another name: expected \(self.name); use a name that it has"
        }
    }

    /// Returns the configuration of a client for one server.
    ///
    /// - Parameters:
    ///   - tls: The trusted authorities, and the client's own certificate.
    ///   - host: The server's host as in the URL, for `https://`; `nil` for a connection without TLS.
    package static func configuration(_ tls: TLSConfiguration, host: String?) -> HTTPClient.Configuration {
        var tls = tls
        tls.minimumTLSVersion = .tlsv12
        tls.certificateVerification = .fullVerification
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        // NIOSSL compares an IP address with the certificate's addresses.
        if let host, !self.isAddress(host) {
            // Called for each connection after the handshake, before a request is sent.
            configuration.http1_1ConnectionDebugInitializer = { self.check($0, host) }
            configuration.http2ConnectionDebugInitializer = { self.check($0, host) }
        }
        return configuration
    }

    /// Returns the message for a failed request: of the TLS library's errors, those that settings can mend in words.
    package static func message(_ error: any Error) -> String {
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return "the server's certificate is not signed by a trusted authority, or it has expired: set ca_file, or "
                + "renew it (CERTIFICATE_VERIFY_FAILED)"
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("SSL routines:OPENSSL_internal:HTTP_REQUEST") {
            return "the server does not use TLS on this port: use http://, or its port for TLS"
        }
        if text.contains("failedToValidateHostname") {
            return "the server's certificate is for another name: use a name that it has"
        }
        return text
    }

    private static func check(_ channel: any Channel, _ name: String) -> EventLoopFuture<Void> {
        channel.eventLoop.submit {
            let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
            guard let certificate = handler?.peerCertificate, self.isNamed(name, by: certificate) else {
                channel.close(promise: nil)
                throw OtherName(name: name)
            }
        }
    }

    private static func isNamed(_ name: String, by certificate: NIOSSLCertificate) -> Bool {
        let alternatives = certificate._subjectAlternativeNames()
        let dnsNames = alternatives.filter { $0.nameType == .dnsName }.map {
            String(decoding: $0.contents, as: UTF8.self)
        }
        return ServerName.isNamed(name, dnsNames: dnsNames, hasAlternatives: !alternatives.isEmpty)
    }

    private static func isAddress(_ host: String) -> Bool {
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        return (try? SocketAddress(ipAddress: bare, port: 0)) != nil
    }
}
