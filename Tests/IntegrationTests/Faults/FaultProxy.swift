import Foundation
import RedisClient
import Synchronization

/// A proxy on a loopback port between a client and a server, which does to the bytes what a network can do.
final class FaultProxy: Sendable {
    /// What happens to bytes on their way.
    enum Mode: Sendable, Equatable {
        /// Nothing.
        case pass
        /// They wait for so many milliseconds.
        case delay(Int)
        /// What the server sends arrives one byte at a time, each a hundredth of a millisecond after the other at least.
        case drip
        /// They vanish, and connections stay open.
        case blackHole
        /// Connections are refused and those that are there are cut.
        case cut
        /// What the server sends arrives at so many bytes per second.
        case throttle(Int)
        /// Each connection is cut after the server has sent so many bytes on it.
        case cutAfter(Int)
    }

    private struct Pair {
        let client: Int32
        let server: Int32
        var sent = 0
    }

    private struct State {
        var mode = Mode.pass
        var isStopped = false
        var sent = 0
        var cuts = 0
    }

    /// A peer that is gone is an error and no signal (`MSG_NOSIGNAL`, whose Swift type differs between systems).
    private static let noSignal: Int32 = 0x4000

    private let state = Mutex(State())
    private let listener: Int32
    private let upstream: RedisAddress
    /// Where to connect to.
    let address: RedisAddress

    /// Starts a proxy to a server that listens on a loopback port; there is none for a Unix socket.
    init(to upstream: RedisAddress) throws {
        guard case .tcp = upstream else { throw RedisServer.StartFailure(description: "no port behind the proxy") }
        let (descriptor, port) = try RawSocket.silentListener()
        self.listener = descriptor
        self.upstream = upstream
        self.address = .tcp(host: "127.0.0.1", port: port)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        Thread { [self] in self.run() }.start()
    }

    deinit {
        Foundation.close(self.listener)
    }

    /// Does this to bytes from now on.
    func set(_ mode: Mode) { self.state.withLock { $0.mode = mode } }

    /// How many bytes servers have sent through it.
    var sentBytes: Int { self.state.withLock { $0.sent } }

    /// How many connections were cut or refused in the mode `cut`.
    var cuts: Int { self.state.withLock { $0.cuts } }

    /// Ends the proxy and all connections through it.
    func stop() { self.state.withLock { $0.isStopped = true } }

    private func run() {
        var pairs: [Pair] = []
        defer { for pair in pairs { Self.close(pair) } }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let (mode, isStopped) = self.state.withLock { ($0.mode, $0.isStopped) }
            if isStopped { return }
            if mode == .cut {
                for pair in pairs { Self.close(pair) }
                self.state.withLock { $0.cuts += pairs.count }
                pairs = []
            }
            self.accept(&pairs, mode)
            var descriptors = pairs.flatMap { pair in
                [pair.client, pair.server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            }
            descriptors.append(pollfd(fd: self.listener, events: Int16(POLLIN), revents: 0))
            _ = poll(&descriptors, nfds_t(descriptors.count), 5)
            if mode == .blackHole {
                // The bytes stay where they are: a vanished peer acknowledges nothing either.
                Thread.sleep(forTimeInterval: 0.005)
                continue
            }
            var kept: [Pair] = []
            for (index, pair) in pairs.enumerated() {
                var pair = pair
                let isAlive =
                    self.forward(descriptors[2 * index], to: pair.server, &pair, isReply: false, mode, &buffer)
                    && self.forward(descriptors[2 * index + 1], to: pair.client, &pair, isReply: true, mode, &buffer)
                if isAlive { kept.append(pair) } else { Self.close(pair) }
            }
            pairs = kept
        }
    }

    private func accept(_ pairs: inout [Pair], _ mode: Mode) {
        while true {
            let client = Foundation.accept(self.listener, nil, nil)
            guard client >= 0 else { return }
            guard mode != .cut, let server = Self.connect(to: self.upstream) else {
                Foundation.close(client)
                if mode == .cut { self.state.withLock { $0.cuts += 1 } }
                continue
            }
            pairs.append(Pair(client: client, server: server))
        }
    }

    /// Forwards what is there; false where the connection has ended.
    private func forward(
        _ source: pollfd, to target: Int32, _ pair: inout Pair, isReply: Bool, _ mode: Mode, _ buffer: inout [UInt8]
    ) -> Bool {
        guard source.revents != 0 else { return true }
        var limit = buffer.count
        if isReply, mode == .drip { limit = 1 }
        if isReply, case .throttle(let rate) = mode {
            limit = min(limit, max(1, rate / 100))
            Thread.sleep(forTimeInterval: 0.01)
        }
        if isReply, case .cutAfter(let count) = mode { limit = min(limit, max(0, count - pair.sent)) }
        if limit == 0 { return false }
        if case .delay(let milliseconds) = mode { Thread.sleep(forTimeInterval: Double(milliseconds) / 1000) }
        if isReply, mode == .drip { Thread.sleep(forTimeInterval: 0.000_01) }
        let count = recv(source.fd, &buffer, limit, 0)
        guard count > 0 else { return false }
        if isReply {
            pair.sent += count
            self.state.withLock { $0.sent += count }
        }
        var start = 0
        while start < count {
            let written = buffer[start..<count].withUnsafeBytes {
                Foundation.send(target, $0.baseAddress, $0.count, Self.noSignal)
            }
            if written <= 0 { return false }
            start += written
        }
        return true
    }

    private static func connect(to address: RedisAddress) -> Int32? {
        guard case .tcp(_, let port) = address else { return nil }
        return try? RawSocket.connection(to: port)
    }

    private static func close(_ pair: Pair) {
        Foundation.close(pair.client)
        Foundation.close(pair.server)
    }
}
