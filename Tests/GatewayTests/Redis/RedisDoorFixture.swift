import Glibc
import NIOCore
import NIOEmbedded
import Sockets

@testable import Gateway

/// The I/O of the connections of a test.
enum RedisShell: CaseIterable, Sendable {
    /// A socket without SwiftNIO: `RedisSocketConnection`.
    case socket
    /// A channel of SwiftNIO, as encrypted connections have: `RedisDoorHandler`.
    case channel
}

/// A Redis door with one thread, that of the test, and without addresses.
final class RedisDoor {
    let store: FixedRedisStore
    let parts: RedisDoorParts
    let inbox: RedisInbox
    let eventLoop = EmbeddedEventLoop()
    let loop: RedisDoorLoop
    let metrics = CountingMetrics()
    let connections = DoorConnections(limit: 10)
    let sockets: RedisSocketLoop?
    private let post: RedisSocketPost
    private let redisMetrics: RedisMetrics

    init(
        _ store: FixedRedisStore = FixedRedisStore(), shell: RedisShell = .socket, password: String? = nil,
        table: TrackingTable = TrackingTable()
    ) throws {
        self.store = store
        self.parts = RedisDoorParts(
            store: store, storeName: "sessions", prefix: "sessions:", channel: "revoked", version: "1.2.3",
            password: password.map { Array($0.utf8) }, connections: self.connections)
        self.inbox = RedisInbox(table)
        self.redisMetrics = RedisMetrics(self.metrics)
        self.post = RedisSocketPost(try WakeUp())
        switch shell {
        case .socket:
            let sockets = try RedisSocketLoop(self.parts, self.inbox, self.redisMetrics, self.post)
            self.sockets = sockets
            self.loop = sockets.door
        case .channel:
            self.sockets = nil
            self.loop = RedisDoorLoop.make(self.parts, self.inbox, on: self.eventLoop)
        }
    }

    deinit {
        self.post.stop()
        self.run()
    }

    /// Does everything that is due.
    func run() {
        self.eventLoop.run()
        while let sockets, sockets.turn(isBlocking: false) {}
    }

    /// Opens a connection.
    func connect() throws -> RedisDoorClient {
        _ = self.connections.enter()
        guard let sockets else {
            let channel = EmbeddedChannel(loop: self.eventLoop)
            let handler = RedisDoorHandler(self.parts, self.loop, self.redisMetrics)
            try channel.pipeline.syncOperations.addHandler(handler)
            try channel.connect(to: SocketAddress(unixDomainSocketPath: "/x")).wait()
            return RedisDoorClient(self, .channel(channel))
        }
        let (near, far) = try Self.pair()
        sockets.add(far)
        return RedisDoorClient(self, .socket(near))
    }

    /// A pair of connected sockets that do not block.
    private static func pair() throws -> (Int32, Int32) {
        var pair: [Int32] = [-1, -1]
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else {
            throw IOError(errnoCode: errno, reason: "socketpair")
        }
        for descriptor in pair { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
        return (pair[0], pair[1])
    }

    /// A connection that speaks a protocol, whose replies so far have been read.
    func connect(_ version: Int, _ lines: String...) throws -> RedisDoorClient {
        let client = try self.connect()
        if version == 3 { _ = try client.send("HELLO 3") }
        for line in lines { _ = try client.send(line) }
        return client
    }

    /// Changes a session, as the stream does.
    func change(_ key: String, _ fields: [String: String]?) {
        self.store.set(key, fields)
        self.inbox.snapshotChanged(key.utf8.span)
        self.run()
    }
}

/// A client's end of a connection.
final class RedisDoorClient {
    enum Side {
        case socket(Int32)
        case channel(EmbeddedChannel)
    }

    let side: Side
    private let door: RedisDoor
    /// What was received and not taken.
    private var bytes: [UInt8] = []
    /// Whether the door has ended its output.
    private var hasEnded = false
    private var isClosed = false

    init(_ door: RedisDoor, _ side: Side) {
        self.door = door
        self.side = side
    }

    deinit {
        self.close()
    }

    /// The channel of the door's side, if it is one.
    var channel: EmbeddedChannel? { if case .channel(let channel) = self.side { channel } else { nil } }

    /// Closes the client's end.
    func close() {
        if self.isClosed { return }
        self.isClosed = true
        switch self.side {
        case .channel(let channel): _ = try? channel.finish(acceptAlreadyClosed: true)
        case .socket(let descriptor): closeDescriptor(descriptor)
        }
        self.door.run()
    }

    /// Whether the door has not ended its output.
    var isOpen: Bool {
        self.receive()
        if case .channel(let channel) = self.side { return channel.isActive }
        return !self.hasEnded
    }

    /// Sends bytes as the door takes them, without reading replies; returns the number of bytes that it has taken.
    func write(_ bytes: [UInt8]) throws -> Int {
        switch self.side {
        case .channel(let channel):
            try channel.writeInbound(ByteBuffer(bytes: bytes))
            return bytes.count
        case .socket(let descriptor):
            var sent = 0
            while sent < bytes.count {
                let count = unsafe bytes[sent...].withUnsafeBytes {
                    unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                if count > 0 { sent += count }
                let hasMoved = self.door.sockets?.turn(isBlocking: false) ?? false
                if count <= 0, !hasMoved { break }
            }
            self.door.run()
            return sent
        }
    }

    /// Sends bytes and returns what is written then.
    func send(_ bytes: [UInt8]) throws -> String {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try self.write(Array(rest))
            rest = rest.dropFirst(count)
            let before = self.bytes.count
            self.receive()
            // The door takes nothing more: it has ended the connection.
            if count == 0, self.bytes.count == before { break }
        }
        return try self.received()
    }

    /// Sends requests, each a line of words, and returns what is written then.
    func send(_ lines: String...) throws -> String { try self.send(RedisText.requests(lines)) }

    /// What has been written since.
    func received() throws -> String {
        self.receive()
        defer { self.bytes = [] }
        return String(decoding: self.bytes, as: UTF8.self)
    }

    private func receive() {
        self.door.run()
        switch self.side {
        case .channel(let channel):
            while let buffer = try? channel.readOutbound(as: ByteBuffer.self) {
                self.bytes += Array(buffer.readableBytesView)
            }
        case .socket(let descriptor):
            var piece = [UInt8](repeating: 0, count: 1 << 16)
            while !self.isClosed {
                let count = unsafe read(descriptor, &piece, piece.count)
                if count > 0 { self.bytes += piece[..<count] }
                // A reset: the door has closed the socket without reading everything.
                if count == 0 || (count < 0 && errno == ECONNRESET) { self.hasEnded = true }
                if count <= 0, !(self.door.sockets?.turn(isBlocking: false) ?? false) { break }
                if count <= 0, self.hasEnded { break }
            }
        }
    }
}

/// `close(2)`, whose name the type's own method hides.
private func closeDescriptor(_ descriptor: Int32) { close(descriptor) }
