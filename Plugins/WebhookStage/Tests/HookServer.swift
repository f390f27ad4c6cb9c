import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A local HTTP server that does to each request what a script says, and remembers them.
final class HookServer: Sendable {
    /// A request as it came.
    struct Request: Sendable {
        var method: HTTPMethod
        var path: String
        var headers: HTTPHeaders
        var body: String
    }

    /// What is done to a request.
    enum Answer: Sendable {
        /// Answers it whole.
        case status(Int, headers: [(String, String)] = [], body: String = "")
        /// Answers 200 after a while.
        case slow(Duration)
        /// Never answers.
        case hang
        /// Closes the connection without an answer.
        case close
        /// Closes it in the middle of the answer's body.
        case half
    }

    private let script: @Sendable (Int, Request) -> Answer
    private let seen = Mutex<[Request]>([])
    private let port = Mutex(0)

    private init(_ script: @escaping @Sendable (Int, Request) -> Answer) {
        self.script = script
    }

    /// The requests so far, in the order they came.
    var requests: [Request] { self.seen.withLock { $0 } }

    /// The bodies so far.
    var bodies: [String] { self.requests.map(\.body) }

    /// Where it listens.
    var url: String { "http://127.0.0.1:\(self.port.withLock { $0 })/hook" }

    /// Lends a server; the script gets a request's number, from 0, and the request.
    static func with<R>(
        _ script: @escaping @Sendable (Int, Request) -> Answer, _ body: (HookServer) async throws -> R
    ) async throws -> R {
        let server = HookServer(script)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(HookHandler(server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        server.port.withLock { $0 = channel.localAddress?.port ?? 0 }
        let result: Result<R, any Error>
        do { result = .success(try await body(server)) } catch { result = .failure(error) }
        try await channel.close()
        return try result.get()
    }

    fileprivate func take(_ request: Request) -> Answer {
        let number = self.seen.withLock { seen in
            seen.append(request)
            return seen.count - 1
        }
        return self.script(number, request)
    }
}

/// Reads requests of one connection and does what the server says.
private final class HookHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: HookServer
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(_ server: HookServer) {
        self.server = server
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            self.body.clear()
        case .body(var piece): self.body.writeBuffer(&piece)
        case .end:
            guard let head = self.head else { return }
            let request = HookServer.Request(
                method: head.method, path: head.uri, headers: head.headers, body: String(buffer: self.body))
            self.answer(self.server.take(request), context)
        }
    }

    private func answer(_ answer: HookServer.Answer, _ context: ChannelHandlerContext) {
        switch answer {
        case .status(let status, let headers, let body): self.write(status, headers, body, length: nil, context)
        case .slow(let delay):
            let (handler, bound) = (NIOLoopBound(self, eventLoop: context.eventLoop), context.loopBound)
            context.eventLoop.scheduleTask(in: TimeAmount(delay)) {
                handler.value.write(200, [], "", length: nil, bound.value)
            }
        case .hang: break
        case .close: context.close(promise: nil)
        case .half:
            self.write(200, [], "half", length: 100, context)
            context.close(promise: nil)
        }
    }

    private func write(
        _ status: Int, _ headers: [(String, String)], _ body: String, length: Int?, _ context: ChannelHandlerContext
    ) {
        var fields = HTTPHeaders(headers)
        fields.add(name: "content-length", value: "\(length ?? body.utf8.count)")
        let head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: fields)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
        if length == nil { context.write(self.wrapOutboundOut(.end(nil)), promise: nil) }
        context.flush()
    }
}
