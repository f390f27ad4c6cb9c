import NIOCore
import NIOEmbedded
import StageKit
import Testing

@testable import Gateway

@Suite struct PlainRequestTests {
    private func read(_ bytes: [UInt8]) -> PlainRequest {
        var door = HTTPDoor(HTTPDoorParts(DoorConnection.settings, token: nil, store: FixedGatewayStore()))
        return door.readPlain(bytes.span)
    }

    private func read(_ text: String) -> PlainRequest { self.read(Array(text.utf8)) }

    private static let lines = ["Host: sluice", "X-Session: good"]

    @Test(
        "What gateways send is read without the codec",
        arguments: [
            "GET / HTTP/1.1\r\n\r\n",
            // nginx with proxy_http_version 1.1 and Connection "".
            "GET / HTTP/1.1\r\nHost: sluice\r\nX-Session: good\r\nUser-Agent: curl/8.1\r\nAccept: */*\r\n\r\n",
            // Envoy, with the client's method and path.
            "POST /cart?item=1&a[]=2 HTTP/1.1\r\nhost: shop\r\ncontent-length: 0\r\nx-envoy-internal: true\r\n\r\n",
            // Caddy and Traefik.
            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Uri: /x?y=(z)\r\nCookie: sid=a; b=\"c\"\r\n\r\n",
            "DELETE /a/b;c=d,~e HTTP/1.1\r\nConnection: Keep-Alive\r\nContent-Length:\t0 \r\n\r\n",
        ])
    func plain(request: String) {
        let bytes = Array(request.utf8)
        #expect(self.read(bytes) == .complete(bytes.count))
        #expect(self.read(bytes + Array("GET".utf8)) == .complete(bytes.count))
        for count in 0..<bytes.count {
            let beginning = self.read(Array(bytes[..<count]))
            #expect(beginning == .partial, "\(count) bytes")
        }
    }

    @Test(
        "Everything else is left to the codec",
        arguments: [
            "\r\nGET / HTTP/1.1\r\n\r\n", "get / HTTP/1.1\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\n\r\n", "GET http://a/ HTTP/1.1\r\n\r\n", "GET /# HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\n\n", "GET  / HTTP/1.1\r\n\r\n", "GET /é HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\n\r\n", "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "GET / HTTP/1.1\r\nA: é\r\n\r\n",
            "GET / HTTP/1.1\r\nA: \u{0}\r\n\r\n", "GET / HTTP/1.1\r\nA\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: 00\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nConnection: keep-alive, TE\r\n\r\n",
            "GET / HTTP/1.1\r\nProxy-Connection: close\r\n\r\n", "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
            "GET /\(String(repeating: "x", count: 16_384)) HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nA: \(String(repeating: "x", count: 16_384))\r\n\r\n",
            "GET / HTTP/1.1\r\n\(String(repeating: "a: b\r\n", count: 129))\r\n",
        ])
    func other(request: String) {
        #expect(self.read(request) == .other)
    }

    private static let methods = ["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "get", "GE", "PRI", "TRACE"]
    private static let targets = ["/", "/", "/a?b=c&d[]=(1)", "//", "*", "http://h/", "/é", "/a b", "/#f", "", "a"]
    private static let versions = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.1 ", "HTTP/2.0", "http/1.1"]
    private static let headers = [
        "X-Session: good", "X-Session: bad", "X-Session:good", "x-session:  old \t", "X-Session: ", "X-Session:",
        "Cookie: a=b; sid=good", "Cookie: sid=good; sid=bad", "Authorization: Bearer good", "Host: a", "Host: b",
        "Accept: */*", "X-Sluice-Token: correct-horse-battery", "X-Sluice-Token: wrong", "Content-Length: 0",
        "Connection: keep-alive", "Connection: Keep-Alive",
    ]
    private static let oddHeaders = [
        "Content-Length: 00", "Content-Length: 3", "Content-Length: +0", "Content-Length: 0, 0",
        "Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Connection: close", "Connection: keep-alive, x",
        "Proxy-Connection: close", "Expect: 100-continue", "Upgrade: h2c", "X-Session : good", " folded", "X Y: z",
        ": empty", "X-é: a", "X-Session: é", "X-C: a\u{1}b", "no colon", "X!#: y", "X-Session: good\nX-Session: bad",
    ]
    private static let bodies = ["", "", "abc", "3\r\nabc\r\n0\r\n\r\n", "\r\n"]

    private func request(_ draws: inout SplitMix64) -> [UInt8] {
        let isOdd = draws.isOne(of: 3)
        var lines = ["\(isOdd ? draws.element(Self.methods) : "GET") \(isOdd ? draws.element(Self.targets) : "/") "]
        lines[0] += isOdd ? draws.element(Self.versions) : "HTTP/1.1"
        for _ in 0..<draws.next() % 5 { lines.append(draws.element(Self.headers)) }
        if draws.isOne(of: 3) { lines.append(draws.element(Self.oddHeaders)) }
        if draws.isOne(of: 2) { lines.append(draws.element(Self.headers)) }
        let end = draws.isOne(of: 12) ? draws.element(["\n", "\r"]) : "\r\n"
        var bytes = Array((lines + ["", ""]).joined(separator: end).utf8)
        if isOdd { bytes += Array(draws.element(Self.bodies).utf8) }
        if draws.isOne(of: 6), !bytes.isEmpty {
            bytes[Int(draws.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: draws.next())
        }
        return bytes
    }

    @Test("The responses are the same as with the codec alone, however the bytes are split", arguments: 0..<8)
    func same(seed: UInt64) throws {
        var draws = SplitMix64(state: seed)
        for _ in 0..<RandomRounds.count(50) {
            let token: String? = draws.isOne(of: 2) ? "correct-horse-battery" : nil
            let bytes = (0...draws.next() % 3).flatMap { _ in self.request(&draws) }
            let one = try DoorConnection(token: token)
            let other = try DoorConnection(token: token, readsPlain: false)
            var answers = (one: "", other: "")
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = draws.isOne(of: 2) ? rest.count : Int(1 + draws.next() % UInt64(rest.count))
                let piece = Array(rest.prefix(count))
                answers.one += try one.send(piece)
                answers.other += try other.send(piece)
                rest = rest.dropFirst(count)
            }
            let text = String(decoding: bytes, as: UTF8.self).debugDescription
            #expect(answers.one == answers.other, "\(text)")
            #expect(one.metrics.all == other.metrics.all, "\(text)")
            #expect(one.channel.isActive == other.channel.isActive, "\(text)")
        }
    }
}

extension SplitMix64 {
    fileprivate mutating func element<T>(_ all: [T]) -> T { all[self.below(all.count)] }

    fileprivate mutating func isOne(of count: UInt64) -> Bool { self.next() % count == 0 }
}
