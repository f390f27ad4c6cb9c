import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Asks a running worker over HTTP.
struct AdminClient {
    /// How long an answer may take to begin.
    static let timeout: TimeAmount = .seconds(10)
    /// The longest error or single answer read, in bytes.
    static let answerLimit = 16 << 20

    /// Why there is no answer.
    struct Failure: Error, CustomStringConvertible {
        /// What is wrong and what to do.
        var description: String
    }

    /// Where the worker listens, as its `admin.listen` has it.
    let address: String

    /// Gets a path's answer piece by piece, each with the answer's status; returns the status.
    ///
    /// - Parameter path: Below the root, each segment percent-encoded.
    func get(_ path: String, _ piece: (UInt, ByteBuffer) throws -> Void) async throws -> UInt {
        var configuration = HTTPClient.Configuration()
        // Nobody there is an answer: trying again until the time is up would keep a person waiting for it.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(configuration: configuration)
        let result: Result<UInt, any Error>
        do {
            result = .success(try await self.get(path, by: client, piece))
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        return try result.get()
    }

    private func get(
        _ path: String, by client: HTTPClient, _ piece: (UInt, ByteBuffer) throws -> Void
    ) async throws -> UInt {
        let response: HTTPClientResponse
        do {
            response = try await client.execute(HTTPClientRequest(url: self.url(path)), timeout: Self.timeout)
        } catch {
            throw Failure(
                description:
                    "no worker answers at \(self.address): is it running, and is this its admin.listen? (\(error))")
        }
        for try await buffer in response.body { try piece(response.status.code, buffer) }
        return response.status.code
    }

    /// `http://host:port/path`, or the form that names a Unix socket.
    private func url(_ path: String) -> String {
        guard self.address.hasPrefix("unix:") else { return "http://\(self.address)\(path)" }
        let socket = self.address.dropFirst("unix:".count)
        return "http+unix://\(Self.encoded(String(socket)))\(path)"
    }

    /// A path segment with everything percent-encoded that is not a letter or a digit.
    static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }
}

/// Options of the verbs that ask a running worker.
struct AdminOptions: ParsableArguments {
    @Option(help: "Where the worker listens: host:port or unix:/path.")
    var admin = "127.0.0.1:9191"

    @Option(help: "The store to look into.")
    var store = "sessions"
}
