import Foundation
import RedisClient
import StageKit
import Testing

/// Private keys with a passphrase, wherever a key file is read.
@Suite struct EncryptedKeyTests {
    private static let message = "the private key is protected by a passphrase"

    @Test(
        "An encrypted key is named as such by everything that reads keys",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"),
        arguments: ["locked.key", "locked-old.key"])
    func encrypted(key: String) async throws {
        try await TestCertificates.with { certificates in
            let (certificate, key) = (certificates.path("client.crt"), certificates.path(key))
            try await withRedisServer(.init(tls: certificates, wantsClientCertificate: true)) { server in
                var settings = server.settings
                settings.tls?.certificateFile = certificate
                settings.tls?.keyFile = key
                let error = await #expect(throws: RedisError.self) { try await withConnection(settings) { _ in } }
                #expect(error?.message.contains("redis.tls.key_file") == true, "\(error?.message ?? "")")
                #expect(error?.message.contains(Self.message) == true, "\(error?.message ?? "")")
            }
            let run = try await sluice(
                "run", ReferenceTests.pipelineFile, "--set", "redis.address=127.0.0.1:1", "--set",
                "admin={ listen: \"127.0.0.1:0\", tls: { certificate_file: \(certificate), key_file: \(key) } }")
            #expect(run.status != 0 && run.errors.contains("key_file"), "\(run)")
            #expect(run.errors.contains(Self.message), "\(run)")
            let lookup = try await sluice(
                "lookup", "k", "--admin", "https://127.0.0.1:1", "--certificate-file", certificate, "--key-file", key)
            #expect(lookup.status == 1 && lookup.errors.contains("--key-file"), "\(lookup)")
            #expect(lookup.errors.contains(Self.message), "\(lookup)")
        }
    }
}
