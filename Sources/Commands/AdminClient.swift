import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL
import StageKit
import WebhookStage

/// A client of a running worker's HTTP interface.
struct AdminClient {
    /// Maximum time until a response begins.
    static let timeout: TimeAmount = .seconds(10)
    /// The maximum size of an error or of a single response, in bytes.
    static let answerLimit = 16 << 20

    /// A failed request.
    struct Failure: Error, CustomStringConvertible {
        /// The problem and its remedy.
        var description: String
    }

    /// The worker's address in the form of `admin.listen`; with the prefix `https://` if the connection is encrypted.
    let address: String
    /// The token that requests carry, or `nil` for none.
    var token: String?
    /// TLS configuration, used if the address begins with `https://`.
    var tls = TLSConfiguration.makeClientConfiguration()

    /// Creates a client for the worker at an address.
    init(address: String) {
        self.address = address
    }

    /// Requests a path and passes each piece of the response to `piece` with the status; returns the status.
    ///
    /// - Parameters:
    ///   - path: Below the root, each segment percent-encoded.
    ///   - head: Called with the headers of the response.
    ///   - piece: Called with the status and each piece of the body.
    func get(
        _ path: String, head: (HTTPHeaders) -> Void = { _ in }, _ piece: (UInt, ByteBuffer) throws -> Void
    ) async throws -> UInt {
        var configuration = SecureHTTP.configuration(self.tls, host: self.encryptedHost)
        // A refused connection is final: retrying until the timeout would make the user wait.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(configuration: configuration)
        let result: Result<UInt, any Error>
        do {
            result = .success(try await self.get(path, by: client, head, piece))
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        return try result.get()
    }

    private func get(
        _ path: String, by client: HTTPClient, _ head: (HTTPHeaders) -> Void,
        _ piece: (UInt, ByteBuffer) throws -> Void
    ) async throws -> UInt {
        var request = HTTPClientRequest(url: self.url(path))
        // A Unix socket has no host name, and its path is not a valid one.
        if self.address.hasPrefix("unix:") { request.headers.replaceOrAdd(name: "Host", value: "localhost") }
        if let token = self.token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        let response: HTTPClientResponse
        do {
            response = try await client.execute(request, timeout: Self.timeout)
        } catch {
            throw Failure(
                description:
                    "no worker responds at \(self.address): is it running, and is this its admin.listen? "
                    + "(\(Self.reason(error)))")
        }
        if response.status == .unauthorized {
            throw Failure(
                description: "the worker at \(self.address) requires a token, or another one: set SLUICE_TOKEN, or"
                    + " give --token-file")
        }
        head(response.headers)
        for try await buffer in response.body { try piece(response.status.code, buffer) }
        return response.status.code
    }

    /// Requests a path and returns the whole response.
    func answer(_ path: String) async throws -> (status: UInt, body: ByteBuffer) {
        var body = ByteBuffer()
        let status = try await self.get(path) { _, piece in
            guard body.readableBytes < Self.answerLimit else {
                throw Failure(description: "the response has more than \(Self.answerLimit) bytes")
            }
            body.writeImmutableBuffer(piece)
        }
        return (status, body)
    }

    /// Reads a path's stream of server-sent events until it ends or `event` throws; if there is no stream, throws the
    /// worker's error.
    func events(_ path: String, _ event: (ServerSentEvent) throws -> Void) async throws {
        var parser = ServerSentEvents()
        var refusal = ByteBuffer()
        let status = try await self.get(path) { status, piece in
            if status == 200 {
                for found in try parser.take(piece) { try event(found) }
            } else if refusal.readableBytes < Self.answerLimit {
                refusal.writeImmutableBuffer(piece)
            }
        }
        if status != 200 { throw Failure(description: Self.refusal(refusal)) }
    }

    /// The host of an address with `https://`, or `nil` for any other address.
    private var encryptedHost: String? {
        self.address.hasPrefix("https://") ? URLComponents(string: self.address)?.host ?? "" : nil
    }

    /// Returns `http://host:port/path`, or the form that names a Unix socket.
    private func url(_ path: String) -> String {
        if self.address.hasPrefix("http://") || self.address.hasPrefix("https://") { return "\(self.address)\(path)" }
        guard self.address.hasPrefix("unix:") else { return "http://\(self.address)\(path)" }
        let socket = self.address.dropFirst("unix:".count)
        return "http+unix://\(Self.encoded(String(socket)))\(path)"
    }

    /// Returns the message of an error response, or the whole body if it has another form.
    static func refusal(_ answer: ByteBuffer) -> String {
        struct Refusal: Decodable { var message: String }
        let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(answer.readableBytesView))
        return PlainText.of(refusal?.message ?? self.line(answer))
    }

    /// Returns the reason for a failed connection, in the system's words if the system refused it.
    private static func reason(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return unsafe String(cString: strerror(error.errnoCode))
    }

    /// Returns a response's text without its line end.
    static func line(_ answer: ByteBuffer) -> String {
        let text = String(buffer: answer)
        return text.last?.isNewline == true ? String(text.dropLast()) : text
    }

    /// Returns a path segment with everything percent-encoded except letters and digits.
    static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }
}

/// Options of the subcommands that query a running worker.
struct WorkerOptions: ParsableArguments {
    /// The environment variable that contains the token.
    static let tokenVariable = "SLUICE_TOKEN"

    @Option(help: "Address of the worker: host:port, https://host:port or unix:/path.")
    var admin = "127.0.0.1:9191"

    @Option(
        help: ArgumentHelp(
            "File with the worker's token; default: the environment variable SLUICE_TOKEN.",
            valueName: "file"))
    var tokenFile: String?

    @Option(help: ArgumentHelp("CA bundle for verifying the worker's certificate, PEM.", valueName: "file"))
    var caFile: String?

    @Option(help: ArgumentHelp("Client certificate, PEM.", valueName: "file"))
    var certificateFile: String?

    @Option(help: ArgumentHelp("Private key of the client certificate, PEM.", valueName: "file"))
    var keyFile: String?

    /// Creates a client from the options; throws if a file cannot be read.
    func client() throws -> AdminClient {
        var client = AdminClient(address: self.admin)
        if let file = self.tokenFile {
            client.token = try SecretFile.read(file)
        } else if let token = ProcessInfo.processInfo.environment[Self.tokenVariable], !token.isEmpty {
            client.token = token
        }
        if let file = self.caFile { client.tls.trustRoots = .file(file) }
        if let certificate = self.certificateFile, let key = self.keyFile {
            client.tls.certificateChain = try Self.read("--certificate-file", certificate) {
                try NIOSSLCertificate.fromPEMFile($0).map { .certificate($0) }
            }
            client.tls.privateKey = .privateKey(
                try Self.read("--key-file", key) { file in
                    try PrivateKeyFile.refuseEncrypted(file)
                    return try NIOSSLPrivateKey(file: file, format: .pem)
                })
        } else if self.certificateFile != nil || self.keyFile != nil {
            throw ValidationError("--certificate-file and --key-file must be given together")
        }
        return client
    }

    /// Reads a PEM file; an error names the option.
    private static func read<Value>(
        _ option: String, _ path: String, _ body: (String) throws -> Value
    ) throws -> Value {
        do {
            return try body(path)
        } catch let error as PrivateKeyFile.Encrypted {
            throw AdminClient.Failure(description: "\(option): \(path): \(error)")
        } catch {
            throw AdminClient.Failure(
                description: "\(option): cannot read \(path), or it does not contain PEM of that kind")
        }
    }
}

/// Options of the subcommands that read a store of a running worker.
struct AdminOptions: ParsableArguments {
    @OptionGroup var worker: WorkerOptions

    @Option(help: "Name of the store; default: the pipeline's only store.")
    var store: String?

    /// The part of `/v1/pipeline` that names the stores.
    private struct Stores: Decodable {
        struct Graph: Decodable { var stores: [Store] }
        struct Store: Decodable { var name: String }
        var graph: Graph
    }

    /// Returns the store that the option names, or the only store of the worker's pipeline.
    ///
    /// - Throws: `AdminClient.Failure` if the pipeline has no store, or if it has several and the option names none.
    func storeName(_ client: AdminClient) async throws -> String {
        if let store { return store }
        let (status, body) = try await client.answer("/v1/pipeline")
        guard status == 200 else { throw AdminClient.Failure(description: AdminClient.refusal(body)) }
        let names = try JSONDecoder().decode(Stores.self, from: Data(body.readableBytesView)).graph.stores.map(\.name)
        guard names.count == 1, let name = names.first else {
            throw AdminClient.Failure(
                description: names.isEmpty
                    ? "the pipeline has no store"
                    : "the pipeline has several stores: choose one with --store (\(names.joined(separator: ", ")))")
        }
        return name
    }
}
