import Foundation
import Synchronization

/// Certificates made by `openssl`: an authority, a server, an expired server, a client, another authority.
struct TestCertificates: Sendable {
    /// Why none could be made.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let folder: URL
    /// The certificates and keys by file name, made by the first test that needs them.
    private static let files = Mutex<[String: Data]?>(nil)

    /// Calls `body` with files of its own.
    static func with<R>(_ body: (TestCertificates) async throws -> R) async throws -> R {
        let files = try self.files.withLock { files in
            let made = try files ?? Self.makeAll()
            files = made
            return made
        }
        let certificates = try TestCertificates()
        defer { certificates.remove() }
        for (name, content) in files {
            let isWritten = FileManager.default.createFile(
                atPath: certificates.path(name), contents: content, attributes: [.posixPermissions: 0o600])
            guard isWritten else { throw Failure(description: "\(name) cannot be written") }
        }
        return try await body(certificates)
    }

    /// Creates an empty folder.
    private init() throws {
        self.folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("sluice-tls-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
    }

    private func remove() { try? FileManager.default.removeItem(at: self.folder) }

    /// Makes all files in a folder and returns the content of the certificates and keys.
    private static func makeAll() throws -> [String: Data] {
        let certificates = try TestCertificates()
        defer { certificates.remove() }
        try certificates.makeAll()
        var files: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: certificates.folder.path)
        where name.hasSuffix(".crt") || name.hasSuffix(".key") {
            files[name] = try Data(contentsOf: URL(fileURLWithPath: certificates.path(name)))
        }
        return files
    }

    /// The path of a file: `ca.crt`, `other.crt`, and `server`, `expired`, `misnamed`,
    /// `address` (for an IP address alone) and `client` with `.crt` and `.key`; `locked.key` is the client's key with a
    /// passphrase, and `locked-old.key` the same in the older form.
    func path(_ name: String) -> String {
        self.folder.appendingPathComponent(name).path
    }

    private func makeAll() throws {
        for authority in ["ca", "other"] {
            try self.openssl([
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                "-subj",
                "/CN=\(authority) test authority",
                "-keyout", "\(authority).key", "-out", "\(authority).crt",
            ])
        }
        let here = "subjectAltName=IP:127.0.0.1,DNS:localhost\n"
        try self.issue("server", extensions: here, from: "20200101000000Z", to: "20991231000000Z")
        try self.issue("expired", extensions: here, from: "20200101000000Z", to: "20210101000000Z")
        try self.issue(
            "misnamed", extensions: "subjectAltName=DNS:redis.example\n", from: "20200101000000Z",
            to: "20991231000000Z")
        try self.issue(
            "address", extensions: "subjectAltName=IP:127.0.0.1\n", from: "20200101000000Z", to: "20991231000000Z")
        try self.issue(
            "client", extensions: "basicConstraints=CA:FALSE\n", from: "20200101000000Z", to: "20991231000000Z")
        try self.openssl(["pkey", "-in", "client.key", "-aes128", "-passout", "pass:xyzzy", "-out", "locked.key"])
        try self.openssl(["ec", "-in", "client.key", "-aes128", "-passout", "pass:xyzzy", "-out", "locked-old.key"])
    }

    /// Makes a key and a certificate signed by the authority, valid between two times.
    private func issue(_ name: String, extensions: String, from: String, to: String) throws {
        try self.openssl([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=\(name)",
            "-keyout", "\(name).key", "-out",
            "\(name).csr",
        ])
        let config = """
            [ca]
            default_ca=d
            [d]
            database=\(name).db
            new_certs_dir=.
            serial=\(name).srl
            default_md=sha256
            policy=p
            [p]
            commonName=supplied

            """
        for (file, text) in [
            ("\(name).cnf", config), ("\(name).db", ""), ("\(name).srl", "01\n"), ("\(name).ext", extensions),
        ] {
            try text.write(to: self.folder.appendingPathComponent(file), atomically: true, encoding: .utf8)
        }
        try self.openssl([
            "ca", "-batch", "-notext", "-config", "\(name).cnf", "-cert", "ca.crt", "-keyfile", "ca.key",
            "-in", "\(name).csr", "-out", "\(name).crt", "-startdate", from, "-enddate", to,
            "-extfile", "\(name).ext",
        ])
    }

    private func openssl(_ arguments: [String]) throws {
        let child = try Child(["openssl"] + arguments, in: self.folder, log: "openssl.log")
        guard child.wait() == 0 else {
            let log = self.folder.appendingPathComponent("openssl.log")
            let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
            throw Failure(description: "openssl \(arguments[0]) failed: \(text)")
        }
    }
}
