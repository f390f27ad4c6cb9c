import Hummingbird
import StageKit
import Synchronization

/// A local HTTP server that takes POST /hook and remembers what came.
final class HookServer: Sendable {
    private let seen = OrderedMutex<[(body: String, key: String, position: String)]>([])

    /// The bodies of all requests, in the order they came.
    var bodies: [String] { self.seen.withLock { $0.map(\.body) } }
    /// Their idempotency keys.
    var keys: [String] { self.seen.withLock { $0.map(\.key) } }

    /// The bodies of the requests whose header `X-Mark` has this value, in the order they came.
    func bodies(marked position: String) -> [String] {
        self.seen.withLock { $0.filter { $0.position == position }.map(\.body) }
    }

    private init() {}

    private func take(_ body: String, _ key: String, _ position: String) -> Int {
        self.seen.withLock { seen in
            seen.append((body, key, position))
            return seen.count { $0.key == key }
        }
    }

    /// Lends a server and its URL; `answer` gives the status for a body that comes for the so-and-so-many-th time.
    static func with<R>(
        _ answer: @escaping @Sendable (String, Int) async -> Int, _ body: (HookServer, String) async throws -> R
    ) async throws -> R {
        let server = HookServer()
        let router = Router()
        router.post("hook") { request, _ -> HTTPResponse.Status in
            let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
            func header(_ name: String) -> String {
                request.headers.first { $0.name.canonicalName == name }?.value ?? ""
            }
            let count = server.take(text, header("idempotency-key"), header("x-mark"))
            return HTTPResponse.Status(code: await answer(text, count))
        }
        return try await withHTTPServer(router) { port in
            try await body(server, "http://127.0.0.1:\(port)/hook")
        }
    }
}

/// Runs a server with these routes on a loopback port, calls `body` with the port, and stops the server.
func withHTTPServer<R>(
    _ router: Router<BasicRequestContext>, _ body: (_ port: Int) async throws -> R
) async throws -> R {
    let (ports, continuation) = AsyncStream<Int>.makeStream()
    let application = Application(
        router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { channel in
            continuation.yield(channel.localAddress?.port ?? 0)
            continuation.finish()
        }, logger: quiet)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await application.run() }
        let result: Result<R, any Error>
        do {
            result = .success(try await body(await ports.first { _ in true } ?? 0))
        } catch {
            result = .failure(error)
        }
        group.cancelAll()
        _ = await group.nextResult()
        return try result.get()
    }
}
