import NIOCore
import NIOEmbedded
import NIOHPACK
import Testing

@testable import Gateway

/// A frame of HTTP/2.
///
/// Source: https://www.rfc-editor.org/rfc/rfc9113#section-6
struct RawFrame {
    enum Kind: UInt8 {
        case data = 0
        case headers = 1
        case reset = 3
        case settings = 4
        case ping = 6
        case goAway = 7
        case windowUpdate = 8
        case continuation = 9
    }

    static let endStream: UInt8 = 1
    static let endHeaders: UInt8 = 4

    var kind: UInt8
    var flags: UInt8 = 0
    var stream: UInt32 = 0
    var payload: [UInt8] = []

    init(_ kind: Kind, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) {
        self.init(kind: kind.rawValue, flags: flags, stream: stream, payload: payload)
    }

    init(kind: UInt8, flags: UInt8, stream: UInt32, payload: [UInt8]) {
        self.kind = kind
        self.flags = flags
        self.stream = stream
        self.payload = payload
    }

    /// The bytes of a number.
    static func bytes(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
    }

    var bytes: [UInt8] {
        Self.bytes(UInt32(self.payload.count)).dropFirst() + [self.kind, self.flags] + Self.bytes(self.stream)
            + self.payload
    }

    /// Removes a frame from the front of bytes, if it is complete.
    init?(_ buffer: inout ByteBuffer) {
        guard let head = buffer.getBytes(at: buffer.readerIndex, length: 9) else { return nil }
        let length = head[..<3].reduce(0) { $0 << 8 | Int($1) }
        guard buffer.readableBytes >= 9 + length, let bytes = buffer.readBytes(length: 9 + length) else { return nil }
        let stream = head[5...].reduce(0) { $0 << 8 | UInt32($1) }
        self.init(kind: head[3], flags: head[4], stream: stream, payload: Array(bytes[9...]))
    }
}

/// A connection of the gRPC door without a socket, whose client writes and reads single frames.
final class GRPCConnection {
    let channel = EmbeddedChannel()
    let loop = DoorLoop()
    let metrics = CountingMetrics()
    let connections = DoorConnections(limit: 10)
    private var encoder = HPACKEncoder(allocator: ByteBufferAllocator())
    private var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
    private var received = ByteBuffer()
    /// The headers that have come, by call; a call's trailers are the last ones.
    private(set) var headers: [UInt32: [HPACKHeaders]] = [:]
    /// The data that has come, by call.
    private(set) var data: [UInt32: [UInt8]] = [:]
    /// The code with which the door has reset a call.
    private(set) var resets: [UInt32: UInt32] = [:]
    /// The codes of GOAWAY.
    private(set) var goAways: [UInt32] = []

    /// The metadata of a call.
    static let call: HPACKHeaders = [
        ":method": "POST", ":scheme": "http", ":authority": "sluice", ":path": GRPCDoor.path,
        "content-type": "application/grpc", "te": "trailers",
    ]

    init(token: String? = nil, settings: [UInt8] = []) throws {
        let parts = GRPCDoorParts(
            DoorConnection.settings, token: token.map { Array($0.utf8) }, store: FixedGatewayStore())
        _ = self.connections.enter()
        let handler = GRPCConnectionHandler(
            parts, self.loop, self.connections,
            GatewayMetrics(self.metrics, door: "grpc", refusals: GatewayMetrics.Refusal.http))
        // On a slow machine, a thousand frames take longer than the usual time in which they are counted.
        try handler.add(to: self.channel, floodTime: .minutes(10))
        try self.channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
        let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
        try self.send(preface + RawFrame(.settings, settings).bytes + RawFrame(.settings, flags: 1).bytes)
    }

    deinit {
        _ = try? self.channel.finish(acceptAlreadyClosed: true)
    }

    var isOpen: Bool { self.channel.isActive }

    /// Sends frames together, and reads the output of the door.
    func send(_ frames: [RawFrame]) throws { try self.send(frames.flatMap(\.bytes)) }

    /// Sends bytes, and reads the output of the door.
    func send(_ bytes: [UInt8]) throws {
        try self.channel.writeInbound(ByteBuffer(bytes: bytes))
        try self.receive()
    }

    /// Reads the output of the door.
    func receive() throws {
        self.channel.embeddedEventLoop.run()
        while var buffer = try self.channel.readOutbound(as: ByteBuffer.self) { self.received.writeBuffer(&buffer) }
        while let frame = RawFrame(&self.received) {
            switch RawFrame.Kind(rawValue: frame.kind) {
            case .headers:
                var block = ByteBuffer(bytes: frame.payload)
                self.headers[frame.stream, default: []].append(try self.decoder.decodeHeaders(from: &block))
            case .data: self.data[frame.stream, default: []] += frame.payload
            case .reset: self.resets[frame.stream] = frame.payload.reduce(0) { $0 << 8 | UInt32($1) }
            case .goAway: self.goAways.append(frame.payload[4..<8].reduce(0) { $0 << 8 | UInt32($1) })
            default: break
            }
        }
    }

    /// A header block as a frame.
    func head(_ stream: UInt32, _ headers: HPACKHeaders = GRPCConnection.call, ends: Bool = false) throws -> RawFrame {
        var block = ByteBuffer()
        try self.encoder.encode(headers: headers, to: &block)
        let flags = RawFrame.endHeaders | (ends ? RawFrame.endStream : 0)
        return RawFrame(.headers, flags: flags, stream: stream, Array(block.readableBytesView))
    }

    /// A message with its prefix as a frame.
    static func message(_ stream: UInt32, key: String) -> RawFrame {
        let message = CheckMessages.request([("x-session", key)])
        let framed = [0] + RawFrame.bytes(UInt32(message.count)) + message
        return RawFrame(.data, flags: RawFrame.endStream, stream: stream, framed)
    }

    /// The frames of a whole call.
    func call(_ stream: UInt32, key: String = "good") throws -> [RawFrame] {
        [try self.head(stream), Self.message(stream, key: key)]
    }

    /// The gRPC status of a call, or `nil` if it has none yet.
    func status(_ stream: UInt32) -> String? { self.headers[stream]?.last?.first(name: "grpc-status") }

    /// Whether a call was answered for this key.
    func isAnswered(_ stream: UInt32, _ key: String = "good") -> Bool {
        self.status(stream) == "0" && self.data[stream].map { Array($0.dropFirst(5)) } == CheckMessages.responses[key]
    }
}
