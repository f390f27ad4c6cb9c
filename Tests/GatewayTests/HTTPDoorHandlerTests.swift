import NIOCore
import NIOEmbedded
import Testing

@testable import Gateway

@Suite struct HTTPDoorHandlerTests {
    private func statuses(_ answers: String) -> [Substring] {
        answers.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
    }

    @Test("Pipelined requests are answered in order, however their bytes are split")
    func pipelining() throws {
        let text = ["good", "bad", "none", "old", "good"].map { "GET / HTTP/1.1\r\nX-Session: \($0)\r\n\r\n" }.joined()
        for size in [1, 7, 50, 10_000] {
            let connection = try DoorConnection()
            let bytes = Array(text.utf8)
            var answers = ""
            for start in stride(from: 0, to: bytes.count, by: size) {
                answers += try connection.send(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            #expect(self.statuses(answers) == ["200", "403", "401", "503", "200"], "\(size)")
            #expect(connection.channel.isActive)
        }
    }

    @Test("A body is read and discarded, and the answer comes after it; one beyond the limit ends the connection")
    func bodies() throws {
        let connection = try DoorConnection()
        #expect(try connection.request(["X-Session: good", "Content-Length: 5"], method: "POST") == "")
        #expect(self.statuses(try connection.send("hello")) == ["200"])
        let chunked = ["X-Session: bad", "Transfer-Encoding: chunked"]
        #expect(self.statuses(try connection.request(chunked) + connection.send("3\r\nabc\r\n0\r\n\r\n")) == ["403"])
        let expecting = ["X-Session: good", "Content-Length: 1", "Expect: 100-continue"]
        #expect(try connection.request(expecting) == "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(self.statuses(try connection.send("x")) == ["200"])
        let large = GatewayLimits.bodyBytes + 1
        _ = try connection.request(["X-Session: good", "Transfer-Encoding: chunked"])
        let answer = try connection.send(
            Array("\(String(large, radix: 16))\r\n".utf8) + [UInt8](repeating: 0, count: large))
        #expect(self.statuses(answer) == ["413"] && answer.contains("Connection: close"))
        #expect(try connection.request(["X-Session: good"]) == "")
        #expect(connection.metrics.all["sluice_gateway_refusals http body"] == 1)
    }

    @Test(
        "A request that announces a body beyond the limit is refused without waiting for it",
        arguments: [
            ["Content-Length: \(GatewayLimits.bodyBytes + 1)"], ["Content-Length: \(Int.max)"],
            ["Content-Length: \(GatewayLimits.bodyBytes + 1)", "Expect: 100-continue"],
        ])
    func announcedBody(headers: [String]) throws {
        let connection = try DoorConnection()
        let answer = try connection.request(["X-Session: good"] + headers, method: "POST")
        #expect(answer.hasPrefix("HTTP/1.1 413 ") && answer.contains("\r\nConnection: close\r\n"))
        #expect(connection.metrics.all == ["sluice_gateway_refusals http body": 1])
    }

    @Test("A body of the limit's length is read")
    func largestBody() throws {
        let connection = try DoorConnection()
        let head = ["X-Session: good", "Content-Length: \(GatewayLimits.bodyBytes)"]
        #expect(try connection.request(head, method: "POST") == "")
        let answer = try connection.send([UInt8](repeating: 0, count: GatewayLimits.bodyBytes))
        #expect(self.statuses(answer) == ["200"])
    }

    @Test(
        "A request that ends the connection is answered with Connection: close, and later ones are not answered",
        arguments: [
            "GET / HTTP/1.1\r\nX-Session: good\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.0\r\nX-Session: good\r\nConnection: keep-alive\r\n\r\n",
            "GET / HTTP/1.1\r\nX-Session: good\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\nX-Session: good\r\n\r\n",
        ])
    func last(request: String) throws {
        let connection = try DoorConnection()
        let answer = try connection.send(request + "GET / HTTP/1.1\r\nX-Session: good\r\n\r\n")
        #expect(self.statuses(answer) == ["200"], "\(answer)")
        #expect(answer.contains("\r\nConnection: close\r\n"))
    }

    @Test(
        "Malformed or oversized requests are refused",
        arguments: [
            ("nonsense\r\n\r\n", "400", "malformed"), ("GET / HTTP/1.1\r\nX Y: z\r\n\r\n", "400", "malformed"),
            ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400", "malformed"),
            ("GET / HTTP/1.1\r\nX-Session: \(String(repeating: "x", count: 16_400))\r\n\r\n", "431", "headers"),
            ("GET / HTTP/1.1\r\n\(String(repeating: "a: b\r\n", count: 129))\r\n", "431", "headers"),
        ])
    func refused(request: String, status: String, reason: String) throws {
        let connection = try DoorConnection()
        let answer = try connection.send(request)
        #expect(self.statuses(answer) == [status[...]], "\(answer)")
        #expect(!answer.contains("X-Sluice-Decision"))
        #expect(connection.metrics.all == ["sluice_gateway_refusals http \(reason)": 1])
    }

    @Test("A connection is closed if a request takes too long, or if it is idle for too long")
    func time() throws {
        let slow = try DoorConnection()
        _ = try slow.send("GET / HTTP/1.1\r\nX-Sess")
        for _ in 0...GatewayLimits.requestSeconds { slow.loop.sweep() }
        #expect(!slow.channel.isActive && slow.connections.count == 0)
        let idle = try DoorConnection()
        _ = try idle.request(["X-Session: good"])
        for _ in 0..<GatewayLimits.idleSeconds { idle.loop.sweep() }
        #expect(idle.channel.isActive)
        _ = try idle.request(["X-Session: good"])
        for _ in 0..<GatewayLimits.idleSeconds { idle.loop.sweep() }
        #expect(idle.channel.isActive)
        idle.loop.sweep()
        #expect(!idle.channel.isActive && idle.connections.count == 0)
    }

    @Test("A listener that closes ends idle connections immediately and others after their response")
    func stop() throws {
        let idle = try DoorConnection()
        idle.loop.stop()
        #expect(!idle.channel.isActive)
        let busy = try DoorConnection()
        _ = try busy.request(["X-Session: good", "Content-Length: 1"])
        busy.loop.stop()
        #expect(busy.channel.isActive)
        #expect(try busy.send("x").contains("\r\nConnection: close\r\n"))
    }
}
