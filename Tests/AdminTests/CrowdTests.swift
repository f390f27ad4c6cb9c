import HTTPBase
import NIOCore
import NIOPosix
import StageKit
import Testing

@testable import Admin

/// Clients that take up connections and say little.
@Suite(.timeLimit(.minutes(5))) struct CrowdTests {
    private static let token = "correct-horse-battery"

    private func connect(_ address: ListenAddress) async throws -> any Channel {
        guard case .tcp(let host, let port) = address else { throw ChannelError.operationUnsupported }
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(host: host, port: port)
            .get()
    }

    private func status(_ address: ListenAddress, _ target: String, _ headers: String = "") async throws -> Int {
        let head = "GET \(target) HTTP/1.1\r\nHost: localhost\r\n\(headers)Connection: close\r\n\r\n"
        return try await RawResponse(RawClient.exchange(address, head)).status
    }

    @Test(
        "Idle connections and probes keep out neither probes nor lookups with the token",
        arguments: ["", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /metrics HTTP/1.1\r\nHo"])
    func crowd(words: String) async throws {
        var access = AdminAccess()
        access.token = Array(Self.token.utf8)
        let context = AdminFixture.context(stores: [FixedStore("s", count: 1, bytes: 1)])
        try await AdminFixture.serve(context, access: access) { address in
            var idle: [any Channel] = []
            for _ in 0..<140 {
                let channel = try await self.connect(address)
                // One that was closed meanwhile takes nothing.
                if !words.isEmpty { try? await channel.writeAndFlush(ByteBuffer(string: words)).get() }
                idle.append(channel)
            }
            for _ in 0..<3 {
                #expect(try await self.status(address, "/livez") == 200)
                let bearer = "Authorization: Bearer \(Self.token)\r\n"
                #expect(try await self.status(address, "/v1/stores/s/k0", bearer) == 200)
            }
            for channel in idle { try? await channel.close().get() }
        }
    }

    @Test("A connection that has shown the token is kept when connections are scarce")
    func proven() async throws {
        var access = AdminAccess()
        access.token = Array(Self.token.utf8)
        try await AdminFixture.serve(AdminFixture.context(), access: access) { address in
            let target = "/v1/revocations"
            let text = try await StreamClient.read(
                address, target, headers: ["Authorization: Bearer \(Self.token)"]
            ) { text in
                guard text.contains("event: hello") else { return false }
                var idle: [any Channel] = []
                for _ in 0..<200 { idle.append(try await self.connect(address)) }
                #expect(try await self.status(address, "/livez") == 200)
                for channel in idle { try? await channel.close().get() }
                return true
            }
            #expect(text.contains("200 OK"))
        }
    }

    @Test("A stream requested after another request stays open without further data from the client")
    func pipelined() async throws {
        try await AdminFixture.serve(AdminFixture.context()) { address in
            let rest = "GET /v1/revocations HTTP/1.1\r\nHost: localhost"
            let text = try await StreamClient.read(
                address, "/livez", headers: ["X: y\r\n\r\n\(rest)"]
            ) { text in
                // The beat of a second and the comment each five seconds: longer than an idle client has.
                text.split(separator: ": keep-alive").count > 2
            }
            #expect(text.contains("event: hello"))
        }
    }

    @Test("A client that sends neither a token nor a request is disconnected")
    func silent() async throws {
        try await AdminFixture.serve(AdminFixture.context()) { address in
            let answer = try await RawClient.exchange(address, "GET /livez HTTP/1.1\r\nHo")
            #expect(answer.isEmpty)
        }
    }
}
