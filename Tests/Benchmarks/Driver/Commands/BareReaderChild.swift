import ArgumentParser
import NIOCore
import NIOPosix
import RESP
import RedisClient
import StageKit

/// Follows a stream with NIO for the socket and hiredis for the replies, and nothing else: what these two libraries take of
/// a latency, whatever is built on them.
struct BareReaderChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "bare-reader", abstract: "Follow a stream with NIO and hiredis alone.")

    /// What to follow.
    @OptionGroup var followed: LatencyArguments

    /// Measures and prints.
    func run() throws {
        let command = self
        try MainThread.run { try await command.measure() }
    }

    private func measure() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let end = group.next().makePromise(of: Void.self)
        let (stream, recorder) = (self.followed.stream, self.followed.makeRecorder())
        let bootstrap = ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(BareReader(stream, recorder, end))
            }
        }
        switch try RedisAddress(stream.address) {
        case .unix(let path): _ = try await bootstrap.connect(unixDomainSocketPath: path).get()
        case .tcp(let host, let port): _ = try await bootstrap.connect(host: host, port: port).get()
        }
        try await end.futureResult.get()
        try await group.shutdownGracefully()
        try recorder.write(to: self.followed.latency)
    }
}

/// Notes when each entry came, and reads on behind the last.
private final class BareReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Where the first entry's tokens begin: behind the list of streams, the stream, its name and the list of entries.
    private static let firstEntry = 4

    private let stream: StreamArguments
    private let recorder: LatencyRecorder
    private let end: EventLoopPromise<Void>
    private var reader = RESPReader()
    private var seen = 0

    init(_ stream: StreamArguments, _ recorder: LatencyRecorder, _ end: EventLoopPromise<Void>) {
        self.stream = stream
        self.recorder = recorder
        self.end = end
    }

    func channelActive(context: ChannelHandlerContext) {
        self.ask(context, behind: "0-0")
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try unsafe self.unwrapInboundIn(data).withUnsafeReadableBytes { unsafe try self.reader.feed($0) }
            while let next = try self.reader.next() {
                // Nothing of the reply is kept, so nothing refers to it when it is given back.
                nonisolated(unsafe) let reply = next
                self.ask(context, behind: unsafe self.note(reply) ?? "0-0")
                unsafe self.reader.recycle(reply)
            }
        } catch {
            self.end.fail(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end.fail(ToolFailure(description: "the server closed the connection"))
    }

    /// Notes the entries of a reply; the id of the last, nil where there is none.
    private func note(_ reply: RESPReply) -> String? {
        var last: RESPToken?
        var index = Self.firstEntry
        while index < reply.count {
            let id = reply[index + 1]
            if let id = unsafe EntryID(utf8: reply.bytes(of: id).assumingMemoryBound(to: UInt8.self).span) {
                self.recorder.record(id)
            }
            self.seen += 1
            last = id
            index = reply.index(after: index)
        }
        if self.seen >= self.stream.events { self.end.succeed() }
        return last.map { reply.string(of: $0) }
    }

    private func ask(_ context: ChannelHandlerContext, behind id: String) {
        let command = RESPCommand(
            "XREAD", "COUNT", self.stream.count ?? 128, "BLOCK", 5000, "STREAMS", self.stream.stream, id)
        context.writeAndFlush(
            self.wrapOutboundOut(context.channel.allocator.buffer(bytes: command.encoded())), promise: nil)
    }
}
