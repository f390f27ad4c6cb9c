import NIOSSL
import RESP
import StageKit
import Testing

@testable import Commands

/// What HTTPS clients send to servers that are not the ones they ask for: nothing.
@Suite(.timeLimit(.minutes(5))) struct HTTPSTests {
    /// A server and what it is called.
    struct Case: Sendable, CustomTestStringConvertible {
        var certificate: String
        var host: String
        var version: TLSVersion?
        var isGood: Bool
        var testDescription: String { "\(self.certificate) as \(self.host)" }
    }

    static let cases = [
        Case(certificate: "server", host: "localhost", isGood: true),
        Case(certificate: "server", host: "127.0.0.1", isGood: true),
        Case(certificate: "server", host: "localhost", version: .tlsv12, isGood: true),
        Case(certificate: "server", host: "localhost", version: .tlsv11, isGood: false),
        // NIOSSL alone takes it, as the address is that of the peer.
        Case(certificate: "address", host: "localhost", isGood: false),
        Case(certificate: "address", host: "127.0.0.1", isGood: true),
        Case(certificate: "misnamed", host: "localhost", isGood: false),
        Case(certificate: "misnamed", host: "127.0.0.1", isGood: false),
        Case(certificate: "expired", host: "localhost", isGood: false),
    ]

    @Test("A webhook sends events and credentials only to a server with the expected certificate")
    func webhook() async throws {
        try await TestCertificates.with { certificates in
            try await withRedisServer { redis in
                for (index, server) in Self.cases.enumerated() {
                    try await TLSServer.with(certificates, showing: server.certificate, upTo: server.version) { hook in
                        let text = """
                            pipeline: p
                            redis: { address: "\(redis.address)", timeout: 20s }
                            source: { redis_stream: { stream: "s\(index)", start: beginning } }
                            stages:
                              - decode: { fields: { id: { required: true } } }
                              - webhook:
                                  url: "https://\(server.host):\(hook.port)/hook"
                                  ca_file: "\(certificates.path("ca.crt"))"
                                  headers: { X-Token: hunter2 }
                                  retries: 0
                                  timeout: 20s
                            """
                        try await withConnection(redis.settings) {
                            try await $0.addAll("s\(index)", [[("id", "private")]])
                        }
                        try await withPipeline(text) { pipeline in
                            try await pipeline.untilDone(1)
                            let ending = server.isGood ? "applied : 1" : "dropped webhook_failure: 1"
                            #expect(pipeline.endings == [ending], "\(server)")
                        }
                        #expect(hook.text.contains("hunter2") == server.isGood, "\(server)")
                        #expect(hook.text.isEmpty == !server.isGood, "\(server)")
                    }
                }
            }
        }
    }

    @Test("A subcommand sends its token only to a worker with the expected certificate")
    func verbs() async throws {
        try await TestCertificates.with { certificates in
            for server in Self.cases {
                try await TLSServer.with(certificates, showing: server.certificate, upTo: server.version) { worker in
                    var client = AdminClient(address: "https://\(server.host):\(worker.port)")
                    client.token = "hunter2"
                    client.tls.trustRoots = .file(certificates.path("ca.crt"))
                    let status = try? await client.get("/livez") { _, _ in }
                    #expect(status == (server.isGood ? 200 : nil), "\(server)")
                    #expect(worker.text.contains("hunter2") == server.isGood, "\(server)")
                    #expect(worker.text.isEmpty == !server.isGood, "\(server)")
                }
            }
        }
    }
}
