import Hummingbird
import NIOCore
import NIOHTTP1

/// Enforces rules of HTTP/1 that the library does not check: an HTTP/1.1 request names exactly one host, and the
/// response to an HTTP/1.0 request, or to one with `Connection: close`, is the last of its connection.
///
/// Source: RFC 9112, sections 3.2, 7.1 and 9.3. It is placed before the codec that drops versions and repeated header
/// names.
final class RequestRules: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// The failure to answer with, once all earlier requests are answered.
    private var refusal: AdminFailure?
    /// Requests that were passed on and whose response is not complete.
    private var unanswered = 0
    /// Whether further requests of the connection are ignored.
    private var isLast = false
    /// Whether the incoming parts belong to a request that is not passed on.
    private var isDropping = false
    /// Whether the client uses HTTP/1.0, which does not support chunked encoding.
    private var isOld = false

    /// Returns the problem with a request's headers, or `nil` if there is none.
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

    /// Whether the client uses HTTP/1.0 or older.
    private static func isOld(_ head: HTTPRequestHead) -> Bool { head.version.major == 0 || head.version == .http1_0 }

    /// Passes valid requests on.
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
            // The library closes the connection after the response if the request has this header.
            head.headers.replaceOrAdd(name: "connection", value: "close")
        }
        self.unanswered += 1
        context.fireChannelRead(self.wrapInboundOut(.head(head)))
    }

    /// Marks the last response as the last one, in the client's HTTP version.
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

    /// Answers a refused request once all earlier requests are answered.
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
