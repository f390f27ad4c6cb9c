import Admin
import HTTPBase
import NIOCore
import NIOPosix

/// A client that sends bytes as they are and reads until the server closes.
enum RawClient {
    /// Sends bytes, closes its half where told to, and returns all that came back.
    ///
    /// The event loop sends them as soon as it is connected: a server closes a connection that is silent for long, and
    /// this task may get no thread in time.
    static func exchange(
        _ address: ListenAddress, _ request: String, closesHalf: Bool = false, closesAtOnce: Bool = false
    ) async throws -> [UInt8] {
        let group = MultiThreadedEventLoopGroup.singleton
        let received = group.any().makePromise(of: [UInt8].self)
        let sent = group.any().makePromise(of: Void.self)
        let bootstrap = ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let handlers: [any ChannelHandler] = [RequestSender(request, sent), Collector(received)]
                try channel.pipeline.syncOperations.addHandlers(handlers)
            }
        }
        let channel: any Channel
        do {
            switch address {
            case .tcp(let host, let port): channel = try await bootstrap.connect(host: host, port: port).get()
            case .unix(let path): channel = try await bootstrap.connect(unixDomainSocketPath: path).get()
            case .off: throw ChannelError.connectPending
            }
        } catch {
            received.succeed([])
            sent.succeed()
            throw error
        }
        // The server may close while it is being sent too much: what it answered counts, not whether all was sent.
        try? await sent.futureResult.get()
        if closesHalf { try? await channel.close(mode: .output).get() }
        if closesAtOnce { try? await channel.close().get() }
        return try await received.futureResult.get()
    }

    /// Sends one request and reads its response.
    static func request(
        _ address: ListenAddress, _ target: String, method: String = "GET"
    ) async throws -> RawResponse {
        let head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        return try await RawResponse(self.exchange(address, head))
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let promise: EventLoopPromise<[UInt8]>
        private var bytes: [UInt8] = []

        init(_ promise: EventLoopPromise<[UInt8]>) {
            self.promise = promise
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.bytes += self.unwrapInboundIn(data).readableBytesView
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            self.promise.succeed(self.bytes)
        }
    }
}

/// A response taken apart.
struct RawResponse {
    /// The three digits, 0 where there is no response.
    var status: Int
    /// Names in small letters.
    var headers: [String: String]
    /// The body, its chunks put together.
    var body: String
    /// Whether a body in chunks came to its end.
    var isWhole = true

    /// Takes apart what a server sent.
    init(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let end = text.firstRange(of: "\r\n\r\n")
        let head = text[..<(end?.lowerBound ?? text.endIndex)].split(separator: "\r\n")
        self.status = head.first.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") } ?? 0
        self.headers = [:]
        for line in head.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { self.headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " }) }
        }
        var rest = text[(end?.upperBound ?? text.endIndex)...].utf8[...]
        self.body = String(decoding: rest, as: UTF8.self)
        guard self.headers["transfer-encoding"] == "chunked" else { return }
        var body: [UInt8] = []
        self.isWhole = false
        while let line = rest.firstIndex(of: 0x0D),
            let size = Int(String(decoding: rest[..<line], as: UTF8.self), radix: 16)
        {
            rest = rest[line...].dropFirst(2)
            self.isWhole = size == 0
            body += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        self.body = String(decoding: body, as: UTF8.self)
    }
}
