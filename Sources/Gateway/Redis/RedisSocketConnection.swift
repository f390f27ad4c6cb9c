import NIOCore
import Sockets

/// An unencrypted connection of the Redis door: reads and writes its socket itself. Used on the thread of its loop only.
///
/// SwiftNIO's channels took two thirds of the instructions of a command, as much as two of the system calls.
final class RedisSocketConnection: RedisDoorShell {
    private var core: RedisDoorCore
    private var socket: StreamSocket
    private let loop: RedisSocketLoop
    /// Whether the system took no more bytes at the last write.
    private var isBlocked = false
    /// What the poller watches the socket for.
    private var interest = Poller.Interest.read

    /// The descriptor of the socket, or -1 when it is closed.
    var descriptor: Int32 { self.socket.descriptor }

    /// Takes over the descriptor of a connection that has entered the door's connections.
    init(_ descriptor: Int32, _ loop: RedisSocketLoop, _ parts: RedisDoorParts, _ metrics: RedisMetrics) {
        self.core = RedisDoorCore(parts, loop.door, metrics)
        self.socket = StreamSocket(descriptor)
        self.loop = loop
    }

    /// Registers the connection.
    func enter() {
        self.core.enter(self)
    }

    /// Reads, answers and writes after an event of the socket.
    func handle(_ event: Poller.Event) {
        if event.isWritable, self.isBlocked {
            self.isBlocked = false
            self.core.retryWrite()
        }
        if event.isReadable || event.hasEnded {
            if self.core.canProceed {
                self.receive()
            } else if event.hasEnded {
                // Nobody takes the replies that wait, and the poller would report this again and again.
                self.core.close()
            }
        }
        self.perform()
    }

    private func receive() {
        guard self.socket.isOpen else { return }
        switch self.socket.receive(into: &self.loop.buffer, maximum: RedisLimits.maximumRead) {
        case .bytes: self.core.receive(self.loop.buffer)
        case .nothing: break
        case .end: self.core.close()
        }
    }

    // MARK: Actions

    /// Passes the core to `body`.
    @inline(__always)
    func withCore<R>(_ body: (inout RedisDoorCore) -> R) -> R { body(&self.core) }

    /// Sends the output, unless the system takes none for now.
    func write() {
        guard self.socket.isOpen else { return }
        if !self.isBlocked {
            switch self.socket.send(&self.core.pipeline.output) {
            case .all: break
            case .part: self.isBlocked = true
            case .failed: return self.core.close()
            }
            self.core.pipeline.trimOutput()
        }
        self.core.setWritable(self.waitingBytes < RedisLimits.flushBytes)
    }

    /// Ends the output.
    func endOutput() {
        if self.socket.isOpen { self.socket.endOutput() }
    }

    /// Continues after the other connections of the loop.
    func yield() {
        self.loop.yield(self)
    }

    /// Closes the socket.
    func close() {
        guard self.socket.isOpen else { return }
        self.loop.remove(self)
        self.socket.end()
        self.core.leave(self)
    }

    /// Has the poller watch for what the connection waits for.
    func settle() {
        guard self.socket.isOpen else { return }
        var interest: Poller.Interest = self.core.isWritable ? .read : []
        if self.isBlocked { interest.insert(.write) }
        guard interest != self.interest else { return }
        self.interest = interest
        self.loop.watch(self, interest)
    }

    /// The bytes that the system has not taken.
    var waitingBytes: Int { self.core.pipeline.output.readableBytes }
}
