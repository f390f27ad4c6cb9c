import Hummingbird
import NIOCore
import NIOHTTP1

/// Holds requests to rules of HTTP/1 that the library does not look at: an HTTP/1.1 request names exactly one host, and
/// the answer to one of HTTP/1.0, or to one that says `close`, is the last of its connection.
///
/// Source: RFC 9112, sections 3.2, 7.1 and 9.3. Stands in front of the codec that leaves out versions and repeated names.
final class RequestRules: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What is wrong with a request; its answer comes when those before it have theirs.
    private var refusal: AdminFailure?
    /// Requests that were passed on and have no whole answer yet.
    private var unanswered = 0
    /// Whether no further request of the connection is taken.
    private var isLast = false
    /// Whether the parts that come belong to a request that is not passed on.
    private var isDropping = false
    /// Whether the client speaks HTTP/1.0, which knows no chunks.
    private var isOld = false

    /// What is wrong with a request's head; nil if nothing is.
    static func refusal(_ head: HTTPRequestHead) -> AdminFailure? {
        let hosts = head.headers["host"]
        if hosts.count > 1 { return .badRequest("the request has \(hosts.count) Host headers: send one") }
        guard let host = hosts.first else {
            return Self.isOld(head) ? nil : .badRequest("the request has no Host header: send one")
        }
        let isName = host.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7F && !"\"#,/<>?@\\^`{|}".utf8.contains(byte)
        }
        return isName ? nil : .badRequest("the Host header is not a host name with an optional port")
    }

    /// Whether the client speaks HTTP/1.0 or older.
    private static func isOld(_ head: HTTPRequestHead) -> Bool { head.version.major == 0 || head.version == .http1_0 }

    /// Passes good requests on.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = self.unwrapInboundIn(data) else {
            if !self.isDropping { context.fireChannelRead(data) }
            return
        }
        if self.isLast {
            self.isDropping = true
            return
        }
        if let refusal = Self.refusal(head) {
            (self.refusal, self.isLast, self.isDropping) = (refusal, true, true)
            return self.refuseInTurn(context)
        }
        let connection = head.headers[canonicalForm: "connection"].map { $0.lowercased() }
        if Self.isOld(head) || connection.contains("close") {
            (self.isLast, self.isOld) = (true, Self.isOld(head))
            // The word by which the library ends the connection behind its answer.
            head.headers.replaceOrAdd(name: "connection", value: "close")
        }
        self.unanswered += 1
        context.fireChannelRead(self.wrapInboundOut(.head(head)))
    }

    /// Says of the last answer that it is the last, in the client's version.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(var head) where self.isLast && self.unanswered == 1 && self.refusal == nil:
            head.headers.replaceOrAdd(name: "connection", value: "close")
            if self.isOld { head.version = .http1_0 }
            context.write(self.wrapOutboundOut(.head(head)), promise: promise)
        case .end:
            self.unanswered = max(0, self.unanswered - 1)
            context.write(data, promise: promise)
            self.refuseInTurn(context)
        default: context.write(data, promise: promise)
        }
    }

    /// Answers a refused request once all before it are answered.
    private func refuseInTurn(_ context: ChannelHandlerContext) {
        guard self.unanswered == 0, let refusal = self.refusal.take() else { return }
        let body = refusal.bytes
        var headers = HTTPHeaders([
            ("content-type", "application/json"), ("content-length", "\(body.count)"), ("connection", "close"),
        ])
        for field in Response.fixedFields { headers.add(name: field.name.rawName, value: field.value) }
        let head = HTTPResponseHead(version: .http1_1, status: .badRequest, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        let sent = context.eventLoop.makePromise(of: Void.self)
        let channel = context.channel
        sent.futureResult.whenComplete { _ in channel.close(mode: .output, promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: sent)
    }
}
