import NIOCore
import NIOPosix
import NIOSSL
import StageKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The validity period of a certificate, in seconds since the epoch.
struct CertificateDates: Sendable, Equatable {
    /// The first valid second.
    let notBefore: Int
    /// The last valid second.
    let notAfter: Int

    /// Creates a validity period.
    init(notBefore: Int, notAfter: Int) {
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// Reads the validity period of a certificate.
    init(_ certificate: NIOSSLCertificate) {
        self.init(notBefore: Int(certificate.notValidBefore), notAfter: Int(certificate.notValidAfter))
    }
}

extension RedisError {
    /// Returns the error for a failed attempt to open a connection.
    static func opening(_ error: any Error, address: RedisAddress) -> RedisError {
        guard error is IOError else { return self.transport(error, address: address) }
        return RedisError(.connectFailed, "\(address): cannot connect: \(self.reason(error))", isTransient: true)
    }

    /// Returns the system's text for a failed call, such as `Connection refused`.
    private static func reason(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return unsafe String(cString: strerror(error.errnoCode))
    }

    /// Returns the error for a server that was silent for too long. The message names the setting with the limit.
    static func late(
        _ lateness: CommandQueue<PendingReply>.Lateness, _ address: RedisAddress, hint: String
    ) -> RedisError {
        let what: String
        switch lateness {
        case .noAnswer(let timeout): what = "no reply within \(timeout.setting.rawValue)\(hint)"
        case .brokenOff(let timeout):
            what =
                "a reply stopped arriving: no byte for \(SettingUnits.text(timeout.duration)) "
                + "(\(timeout.setting.rawValue))"
        case .endless:
            let limit = Duration.nanoseconds(Int64(CommandQueue<PendingReply>.replyLimit))
            what = "receiving a reply took longer than \(SettingUnits.text(limit)): lower read_count and catch_up_count"
        }
        return RedisError(.timedOut, "\(address): \(what)", isTransient: true)
    }

    /// Returns the error for a failure of the socket or of TLS.
    ///
    /// - Parameter certificate: The validity period of the server's certificate, or `nil` if the server sent none.
    static func transport(
        _ error: any Error, address: RedisAddress, certificate: CertificateDates? = nil
    ) -> RedisError {
        switch error {
        case let error as RedisError: return error
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return self.otherName(address, "\(error)")
        case is NIOSSLExtraError: return self.tls(address, "\(error)")
        case NIOSSLError.uncleanShutdown:
            return RedisError(.closed, "\(address): the server closed the connection", isTransient: true)
        case NIOSSLError.handshakeFailed(let cause):
            return self.handshake("\(cause)", address, certificate, now: time(nil))
        case let error as NIOSSLError: return self.tls(address, "\(error)")
        case let error as BoringSSLError:
            return self.handshake("\(error)", address, certificate, now: time(nil))
        case let error as NIOConnectionError: return self.connect(error, address)
        case ChannelError.connectTimeout(_):
            return RedisError(
                .timedOut, "\(address): no connection within redis.connect_timeout", isTransient: true)
        default:
            return RedisError(
                .closed, "\(address): the connection was lost: \(self.reason(error))", isTransient: true)
        }
    }

    /// Returns the error for a failed handshake, derived from the TLS library's text, which is all it reports.
    static func handshake(
        _ text: String, _ address: RedisAddress, _ certificate: CertificateDates?, now: Int
    ) -> RedisError {
        if text.contains("EOF during") {
            // A proxy whose server is down, or a server that has reached its connection limit.
            return RedisError(
                .tls,
                "\(address): the server closed the connection during the TLS handshake: check that this port uses TLS",
                isTransient: true)
        }
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            if let certificate, certificate.notAfter < now {
                return self.tls(address, "the server's certificate has expired: renew it")
            }
            if let certificate, certificate.notBefore > now {
                return self.tls(address, "the server's certificate is not valid yet: compare the clocks")
            }
            return self.tls(
                address, "the server's certificate is not signed by a trusted authority: set redis.tls.ca_file")
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            return self.tls(
                address, "the server does not use TLS on this port: set redis.tls to false, or use the TLS port")
        }
        if text.contains("CERTIFICATE_REQUIRED") || text.contains("TLSV1_ALERT_CERTIFICATE") {
            return self.tls(
                address, "the server requires a client certificate: set redis.tls.certificate_file and key_file")
        }
        if text.contains("ALERT_UNKNOWN_CA") || text.contains("ALERT_BAD_CERTIFICATE")
            || text.contains("ALERT_CERTIFICATE_") || text.contains("ALERT_DECRYPT_ERROR")
        {
            return self.tls(address, "the server refuses the certificate in redis.tls.certificate_file (\(text))")
        }
        return self.tls(address, "the TLS handshake failed: \(text)")
    }

    /// Returns the error for a certificate with a different name.
    static func otherName(_ address: RedisAddress, _ detail: String) -> RedisError {
        self.tls(
            address,
            "the server's certificate is for another name: set redis.address or redis.tls.server_name to a "
                + "name that it has (\(detail))")
    }

    private static func tls(_ address: RedisAddress, _ what: String) -> RedisError {
        RedisError(.tls, "\(address): \(what)", isTransient: false, credentials: CredentialFailure(.certificate))
    }

    /// Returns the error for an unknown host name, or for a name of which no address answers.
    private static func connect(_ error: NIOConnectionError, _ address: RedisAddress) -> RedisError {
        if error.connectionErrors.isEmpty, let cause = error.dnsAError ?? error.dnsAAAAError {
            return RedisError(
                .connectFailed, "\(address): cannot resolve the name: \(cause)", isTransient: true)
        }
        let causes = Set(error.connectionErrors.map { self.reason($0.error) }).sorted()
        return RedisError(
            .connectFailed, "\(address): cannot connect: \(causes.joined(separator: "; "))", isTransient: true)
    }
}
