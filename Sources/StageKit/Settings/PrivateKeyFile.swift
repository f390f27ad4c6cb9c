/// Examines PEM files with private keys before a TLS library reads them.
package enum PrivateKeyFile {
    /// The error for a key that is encrypted with a passphrase.
    package struct Encrypted: Error, Sendable, Equatable, CustomStringConvertible {
        /// The problem and its remedy, without the path.
        package var description: String {
            "the private key is protected by a passphrase, and there is no setting for one: store the key without it "
                + "(openssl pkey -in FILE -out NEW), readable only by the worker's user"
        }
    }

    /// The first lines of encrypted keys: PKCS #8 (RFC 7468, section 11), and the header of the older forms (RFC 1421).
    private static let marks = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"]

    /// Refuses a key that needs a passphrase, which a TLS library reports only as an unknown error.
    ///
    /// A file that cannot be read is not reported here: the library's error names the reason.
    ///
    /// - Throws: `Encrypted` if the file contains an encrypted key.
    package static func refuseEncrypted(_ path: String) throws(Encrypted) {
        guard let bytes = try? SecretFile.bytes(path) else { return }
        let text = String(decoding: bytes, as: UTF8.self)
        if self.marks.contains(where: { text.contains($0) }) { throw Encrypted() }
    }
}
