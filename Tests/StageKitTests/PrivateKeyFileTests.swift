import Foundation
import Testing

@testable import StageKit

@Suite struct PrivateKeyFileTests {
    /// The first lines of keys, as `openssl` writes them, and whether they are encrypted.
    static let heads: [(String, Bool)] = [
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==", false),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA", false),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3", true),
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA", true),
        ("-----BEGIN EC PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-128-CBC,00\r\n", true),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n", true),
        ("", false), ("no PEM at all", false),
    ]

    @Test(
        "A key with a passphrase is refused with the remedy; other files are left to the TLS library", arguments: heads)
    func encrypted(text: String, isEncrypted: Bool) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("key-\(UUID().uuidString)").path
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        var found: PrivateKeyFile.Encrypted?
        do throws(PrivateKeyFile.Encrypted) {
            try PrivateKeyFile.refuseEncrypted(path)
        } catch {
            found = error
        }
        #expect((found != nil) == isEncrypted)
        if let found { #expect(found.description.contains("passphrase") && found.description.contains("openssl pkey")) }
    }

    @Test("A file that does not exist is left to the TLS library, whose error names the reason")
    func missing() throws {
        try PrivateKeyFile.refuseEncrypted("/nonexistent/key.pem")
    }
}
