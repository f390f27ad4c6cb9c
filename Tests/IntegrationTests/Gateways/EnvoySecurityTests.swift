import Foundation
import RESP
import RedisClient
import Testing

/// Envoy asks a gRPC door that requires client certificates and a token.
@Suite(.timeLimit(.minutes(10))) struct EnvoySecurityTests {
    /// A wrong setting of Envoy.
    private enum Mistake: String, CaseIterable {
        case none
        case noCertificate
        case otherAuthority
        case otherName
        case wrongToken
    }

    private static let token = "correct-horse-battery"

    /// Adds the guide's settings for TLS, and a token, to the guide's configuration, with a mistake.
    private static func change(
        _ text: String, _ mistake: Mistake, _ block: String, _ certificates: TestCertificates
    ) -> String {
        var block = block
        for name in ["client.crt", "client.key", "ca.crt"] {
            let actual = mistake == .otherAuthority && name == "ca.crt" ? "other.crt" : name
            block = block.replacing("/etc/envoy/\(name)", with: certificates.path(actual))
        }
        if mistake == .otherName { block = block.replacing("exact: localhost", with: "exact: sluice.example") }
        var lines = block.split(separator: "\n")
        if mistake == .noCertificate {
            lines.removeAll {
                ["tls_certificates:", "certificate_chain:", "private_key:"].contains(where: $0.contains)
            }
        }
        let token = mistake == .wrongToken ? "wrong-horse-battery" : Self.token
        let metadata = "initial_metadata: [ { key: x-sluice-token, value: \(token) } ]"
        return text.replacing(
            "    - name: sluice\n", with: "    - name: sluice\n" + lines.map { "      \($0)\n" }.joined()
        ).replacing(
            "                      grpc_service:\n",
            with: "                      grpc_service:\n                        \(metadata)\n")
    }

    private func fill(_ server: RedisServer) async throws {
        try await withConnection(server.settings) { connection in
            for (key, status) in [("ds-1", "active"), ("ds-2", "revoked")] {
                let values = [
                    "gateway:session_events", "*", "device_session_id", key, "user_id", "alice", "client_public_key",
                    "k", "status", status,
                ]
                _ = try await connection.command(RESPCommand("XADD", arguments: values.map { Array($0.utf8) }))
            }
        }
    }

    private func ask(_ port: Int, _ key: String) async -> RawAnswer {
        await RawAnswer.to(port, [Array("X-Device-Session-Id: \(key)".utf8)], target: "/page")
    }

    @Test(
        "Over mutual TLS, only an Envoy with the right certificate, authority, name and token lets anybody in",
        .enabled(if: GatewayProgram.envoyGRPC.isInstalled, "Envoy is not installed: run .ci/envoy .build/tools"))
    func mutualTLS() async throws {
        let block = try GatewayProgram.fixture("envoy-tls.yaml")
        try await withRedisServer { server in
            try await self.fill(server)
            try await TestCertificates.with { certificates in
                try await ApplicationServer.with { application, applicationPort in
                    try await self.withWorker(server, certificates, applicationPort) { folder, doors in
                        var children: [Child] = []
                        defer { for child in children { child.end() } }
                        for mistake in Mistake.allCases {
                            var ports = doors
                            ports.gateway = try RawSocket.freePort()
                            let own = folder.appendingPathComponent(mistake.rawValue)
                            try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
                            children.append(
                                try GatewayProgram.envoyGRPC.start(in: own, ports) {
                                    Self.change($0, mistake, block, certificates)
                                })
                            // The first Envoy shows that the worker answers.
                            for (key, status) in [("ds-1", 200), ("ds-2", 403)] {
                                let expected = mistake == .none ? status : 503
                                try await eventually("\(mistake), \(key): \(expected)") {
                                    await self.ask(ports.gateway, key).status == expected
                                }
                            }
                        }
                        #expect(application.requests == 1)
                    }
                }
            }
        }
    }

    /// Runs a worker whose gRPC door requires client certificates and a token.
    private func withWorker(
        _ server: RedisServer, _ certificates: TestCertificates, _ application: Int,
        _ body: (URL, GatewayProgram.Ports) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            let doors = GatewayProgram.Ports(
                http: try RawSocket.freePort(), grpc: try RawSocket.freePort(), application: application)
            let listen = "    listen: 127.0.0.1:\(doors.grpc)\n"
            let files = ["certificate_file: server.crt", "key_file: server.key", "client_ca_file: ca.crt"].map {
                let parts = $0.split(separator: " ")
                return "\(parts[0]) \(certificates.path(String(parts[1])))"
            }
            let text =
                try String(contentsOfFile: ReferenceTests.pipelineFile, encoding: .utf8)
                + GatewayProgram.sections(doors).replacing(
                    listen, with: "\(listen)    token: \(Self.token)\n    tls: { \(files.joined(separator: ", ")) }\n")
            try Data(text.utf8).write(to: folder.appendingPathComponent("pipeline.yaml"))
            let process = try SluiceProcess(
                [
                    "run", "pipeline.yaml", "--set", "source.redis_stream.start=beginning", "--set",
                    "redis.timeout=20s",
                ], in: folder,
                environment: ["REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": "unix:\(folder.path)/admin"])
            defer { process.kill() }
            try await body(folder, doors)
        }
    }
}
