import NIOCore
import NIOSSL
import StageKit

/// Converts `TLSSettings` to NIOSSL's configuration.
enum TLSContext {
    /// Creates the TLS handler of one connection and reads its files.
    ///
    /// - Throws: `RedisError` with the code `badSettings` if a file cannot be used.
    static func makeHandler(_ settings: TLSSettings, address: RedisAddress) throws(RedisError) -> NIOSSLClientHandler {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        if let file = settings.caFile {
            let authorities = try self.reading("ca_file", file) { try NIOSSLCertificate.fromPEMFile(file) }
            configuration.trustRoots = .certificates(authorities)
        }
        if let file = settings.certificateFile, let keyFile = settings.keyFile {
            let chain = try self.reading("certificate_file", file) { try NIOSSLCertificate.fromPEMFile(file) }
            let key = try self.reading("key_file", keyFile) {
                try PrivateKeyFile.refuseEncrypted(keyFile)
                return try NIOSSLPrivateKey(file: keyFile, format: .pem)
            }
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(key)
        }
        let context = try self.reading("certificate_file", settings.certificateFile ?? "") {
            try NIOSSLContext(configuration: configuration)
        }
        return try self.reading("server_name", settings.serverName ?? "") {
            try NIOSSLClientHandler(context: context, serverHostname: self.serverName(settings, address))
        }
    }

    /// Returns the server name to request and verify, or `nil` for an IP address, which is compared with the
    /// certificate's addresses instead.
    static func serverName(_ settings: TLSSettings, _ address: RedisAddress) -> String? {
        if let name = settings.serverName { return name }
        guard case .tcp(let host, _) = address else { return nil }
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return isAddress ? nil : host
    }

    /// Runs `body` and adds the setting's name and the file to an error of the library.
    private static func reading<R>(
        _ setting: String, _ file: String, _ body: () throws -> R
    ) throws(RedisError) -> R {
        do {
            return try body()
        } catch {
            throw RedisError(
                .badSettings, "redis.tls.\(setting): cannot use \"\(file)\": \(error)", isTransient: false,
                credentials: CredentialFailure(.tlsFile))
        }
    }
}
