package import AsyncHTTPClient
import NIOCore
package import NIOSSL
import StageKit

/// HTTPS as every connection of Sluice has it: TLS 1.2 or newer, the server's chain and name verified.
package enum SecureHTTP {
    /// The server has shown a certificate for somebody else.
    package struct OtherName: Error, CustomStringConvertible {
        /// The name that was asked for.
        package let name: String
        /// What is wrong and what to do.
        package var description: String {
            "the server's certificate is for another name: expected \(self.name); use a name that it has"
        }
    }

    /// The configuration of a client for one server.
    ///
    /// - Parameters:
    ///   - tls: Authorities to trust, and a certificate to show.
    ///   - host: The server's host as the URL has it, for `https://`; `nil` for a connection without TLS.
    package static func configuration(_ tls: TLSConfiguration, host: String?) -> HTTPClient.Configuration {
        var tls = tls
        tls.minimumTLSVersion = .tlsv12
        tls.certificateVerification = .fullVerification
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        // An IP address is compared with the certificate's addresses by NIOSSL.
        if let host, !self.isAddress(host) {
            // Called with each connection whose handshake is done, before a request is sent.
            configuration.http1_1ConnectionDebugInitializer = { self.check($0, host) }
            configuration.http2ConnectionDebugInitializer = { self.check($0, host) }
        }
        return configuration
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
