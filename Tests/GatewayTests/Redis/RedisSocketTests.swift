import Glibc
import Logging
import NIOCore
import Sockets
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct RedisSocketTests {
    private static let message = [UInt8](repeating: UInt8(ascii: "m"), count: 64 << 10)

    /// Reads whose replies exceed what a socket takes, in one batch, and their replies.
    private func batch(_ door: RedisDoor) -> (requests: [UInt8], replies: String, count: Int) {
        let count = 6 * RedisLimits.commandsPerTurn
        let value = String(repeating: "x", count: 400)
        for index in 0..<count { door.store.set("k\(index)", ["user_id": "\(10_000 + index)-\(value)"]) }
        let requests = RedisText.requests((0..<count).map { "HGET sessions:k\($0) user_id" })
        return (requests, (0..<count).map { "$406\r\n\(10_000 + $0)-\(value)\r\n" }.joined(), count)
    }

    @Test("A client that takes no replies is not read from; later it gets each reply once and in order")
    func backpressure() throws {
        let door = try RedisDoor()
        let (requests, replies, count) = self.batch(door)
        let client = try door.connect(2)
        var sent = try client.write(requests)
        let answered = try #require(door.metrics.all["sluice_gateway_commands redis"])
        #expect(answered < count)
        // Other clients do not wait.
        #expect(try door.connect(2).send("PING") == "+PONG\r\n")
        #expect(door.metrics.all["sluice_gateway_commands redis"] == answered + 1)
        var received = ""
        while received.utf8.count < replies.utf8.count {
            let piece = try client.received()
            received += piece
            let more = try client.write(Array(requests[sent...]))
            sent += more
            if piece.isEmpty, more == 0 { break }
        }
        // Compared outside of the macro, which would print a megabyte.
        let isRight = received == replies
        #expect(isRight, "\(received.utf8.count) bytes, \(replies.utf8.count) expected")
        #expect(sent == requests.count)
        #expect(door.metrics.all["sluice_gateway_commands redis"] == count + 1)
        #expect(try client.send("PING") == "+PONG\r\n")
    }

    @Test("A client that resets the connection in the middle of its replies is removed")
    func reset() throws {
        let door = try RedisDoor()
        let (requests, _, count) = self.batch(door)
        let client = try door.connect(3, "CLIENT TRACKING ON", "SUBSCRIBE revoked")
        _ = try client.write(requests)
        let answered = try #require(door.metrics.all["sluice_gateway_commands redis"])
        #expect(answered < count && door.connections.count == 1)
        client.close()
        #expect(door.connections.count == 0)
        door.inbox.publish([Self.message])
        #expect(door.inbox.take().isEmpty)
        #expect(try door.connect(2).send("PING") == "+PONG\r\n")
    }

    @Test("A client that caches keeps its connection while a long reply waits and others are sent invalidations")
    func longReply() throws {
        let door = try RedisDoor()
        door.store.set("long", ["user_id": String(repeating: "x", count: 2000)])
        door.store.set("other", ["user_id": "1"])
        let reader = try door.connect(3, "CLIENT TRACKING ON")
        let other = try door.connect(3, "CLIENT TRACKING ON", "HGET sessions:other user_id")
        _ = try reader.write(RedisText.requests(["HMGET sessions:long" + String(repeating: " user_id", count: 1000)]))
        door.change("other", ["user_id": "2"])
        #expect(try other.received().contains("sessions:other"))
        #expect(door.connections.count == 2)
        let reply = try reader.received()
        let isComplete = reply.utf8.count > 1000 * 2000 && reply.hasSuffix("\r\n")
        #expect(isComplete, "\(reply.utf8.count) bytes")
        #expect(reader.isOpen)
    }

    @Test("A client that takes no replies in time is closed")
    func late() throws {
        let door = try RedisDoor()
        let client = try door.connect(2)
        _ = try client.write(self.batch(door).requests)
        for _ in 0..<GatewayLimits.requestSeconds { door.loop.sweep() }
        #expect(door.connections.count == 1)
        door.loop.sweep()
        #expect(door.connections.count == 0)
        #expect(!client.isOpen)
    }

    @Test("After an error the output ends, and the connection stays until its client closes it or its time is up")
    func halfClosed() throws {
        let door = try RedisDoor()
        let clients = [try door.connect(2), try door.connect(2)]
        for client in clients {
            #expect(try client.send(Array("*1\r\n:1\r\n".utf8)).hasPrefix("-ERR Protocol error"))
            #expect(!client.isOpen)
            // Discarded.
            #expect(try client.send("PING") == "")
        }
        #expect(door.connections.count == 2)
        clients[0].close()
        #expect(door.connections.count == 1)
        for _ in 0...GatewayLimits.requestSeconds { door.loop.sweep() }
        #expect(door.connections.count == 0)
    }

    @Test("A subscriber that takes no messages is closed when too many wait; another one gets each of them once")
    func slow() throws {
        let door = try RedisDoor()
        let slow = try door.connect(2, "SUBSCRIBE revoked")
        let good = try door.connect(2, "SUBSCRIBE revoked")
        var text = ""
        var expected = ""
        let count = 3 * RedisLimits.outputBytes / Self.message.count
        for index in 0..<count {
            let message = Array("\(1000 + index)".utf8) + Self.message
            expected += "*3\r\n$7\r\nmessage\r\n$7\r\nrevoked\r\n$\(message.count)\r\n"
            expected += String(decoding: message, as: UTF8.self) + "\r\n"
            door.inbox.publish([message])
            door.run()
            // Less often than messages come, so that some wait.
            if index % 5 == 4 { text += try good.received() }
        }
        text += try good.received()
        let isRight = text == expected
        #expect(isRight, "\(text.utf8.count) bytes, \(expected.utf8.count) expected")
        #expect(door.metrics.all["sluice_gateway_refusals redis slow"] == 1)
        #expect(!slow.isOpen && good.isOpen && door.connections.count == 1)
    }

    @Test("Connections are closed when the door closes, whatever they wait for")
    func stop() throws {
        let door = try RedisDoor()
        let idle = try door.connect(3, "CLIENT TRACKING ON")
        let waiting = try door.connect(2)
        _ = try waiting.write(self.batch(door).requests)
        door.loop.stop()
        #expect(door.connections.count == 0)
        #expect(!idle.isOpen && !waiting.isOpen)
    }

    // MARK: Accepting

    @Test(
        "Only an error of the connection itself lets the next one be accepted immediately",
        arguments: [
            (EAGAIN, true), (EINTR, true), (ECONNABORTED, true), (EPROTO, true), (EMFILE, false), (ENFILE, false),
            (ENOBUFS, false), (ENOMEM, false), (EPERM, false), (EBADF, false),
        ])
    func acceptErrors(number: Int32, isPassing: Bool) {
        #expect(ListeningSocket.Accepted.failure(number) == (isPassing ? .nothing : .failed(number)))
    }

    /// Fails for the first times, as if the system had no descriptor.
    private final class Scarcity {
        var failures = 2
        private(set) var calls = 0

        func accept(_ listener: ListeningSocket) -> ListeningSocket.Accepted {
            self.calls += 1
            if self.failures == 0 { return listener.accept() }
            self.failures -= 1
            return .failed(EMFILE)
        }
    }

    @Test("If the system has no descriptor for a connection, accepting pauses, and the connection is accepted later")
    func scarcity() throws {
        let listener = try ListeningSocket(.makeAddressResolvingHost("127.0.0.1", port: 0), backlog: 8)
        let connections = DoorConnections(limit: 10)
        let scarcity = Scarcity()
        var acceptor = RedisSocketAcceptor(
            [listener], [RedisSocketPost(try WakeUp())], connections, logger: DoorServer.silent, onRefusal: {},
            accept: { scarcity.accept($0) })
        var poller = try Poller()
        let isWatched = acceptor.watch(poller)
        #expect(isWatched)
        let client = try self.connect(to: try #require(listener.port))
        defer { close(client) }
        for _ in 0..<2 {
            let found = poller.wait(milliseconds: 60_000)
            let accepted = acceptor.accept(listener.descriptor, poller)
            #expect(found == 1 && accepted.isEmpty)
            let end = try #require(acceptor.pausedUntil)
            let whilePaused = poller.wait(milliseconds: 0)
            acceptor.resume(end - .nanoseconds(1), poller)
            let before = poller.wait(milliseconds: 0)
            #expect(whilePaused == 0 && before == 0)
            acceptor.resume(end, poller)
        }
        let found = poller.wait(milliseconds: 60_000)
        let accepted = acceptor.accept(listener.descriptor, poller)
        for descriptor in accepted { StreamSocket.refuse(descriptor) }
        #expect(found == 1 && accepted.count == 1 && connections.count == 1)
        // Two failures, the connection, and the end of the queue.
        #expect(scarcity.calls == 4)
    }

    private func connect(to port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        let isConnected = unsafe address.withSockAddr { unsafe Glibc.connect(descriptor, $0, socklen_t($1)) } == 0
        try #require(isConnected)
        return descriptor
    }

    @Test("Connections are distributed over the threads in turn; those of a thread that has ended are closed")
    func distribution() throws {
        let listener = try ListeningSocket(.makeAddressResolvingHost("127.0.0.1", port: 0), backlog: 8)
        let connections = DoorConnections(limit: 3)
        let posts = try (0..<3).map { _ in RedisSocketPost(try WakeUp()) }
        var refused = 0
        posts[2].stop()
        var acceptor = RedisSocketAcceptor(
            [listener], posts, connections, logger: DoorServer.silent, onRefusal: { refused += 1 })
        let poller = try Poller()
        let clients = try (0..<5).map { _ in try self.connect(to: try #require(listener.port)) }
        defer { for client in clients { close(client) } }
        let own = acceptor.accept(listener.descriptor, poller)
        let other = posts[1].take().descriptors
        // The first, the second, none (its thread has ended), the first again, and one beyond the limit.
        #expect(own.count == 2 && other.count == 1 && posts[2].take().descriptors.isEmpty)
        #expect(connections.count == 3 && refused == 1)
        for descriptor in own + other { StreamSocket.refuse(descriptor) }
    }
}
