import Foundation
import RESP
import RedisClient
import RedisStreams
import Testing

/// The example programs of the guide ask a real worker, and let nobody in who should not.
@Suite(.timeLimit(.minutes(10))) struct GatewayProgramTests {
    private static let sessions = [("ds-1", "active"), ("ds-2", "revoked")]

    @Test("A program in Java asks at the HTTP door", .enabled(if: ToolRun.isInstalled("java"), "java is not installed"))
    func java() async throws {
        let folder = try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
        let program = folder.appendingPathComponent("gateways/Lookup.java").path
        try await withRedisServer { server in
            try await self.fill(server)
            try await withFolder { folder in
                let door = try RawSocket.freePort()
                let sessions = ["ds-1", "ds-2", "ds-3", "ds-1\r\nX: y"]
                // Without the optimizing compiler, which takes half of the time of a run of a second.
                let options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlimit=60000"]
                let command = ["java"] + options + [program, "http://127.0.0.1:\(door)/"] + sessions
                func answers() async throws -> String {
                    let run = try await ToolRun(command, in: folder)
                    #expect(run.status == 0, "\(run.output)")
                    return run.output
                }
                let nobody = "ds-1 refused\nds-2 refused\nds-3 refused\nds-1\r\nX: y refused\n"
                #expect(try await answers() == nobody)
                let shipped = try String(contentsOfFile: ReferenceTests.pipelineFile, encoding: .utf8)
                let text = try shipped + GatewayProgram.section(door: door)
                try Data(text.utf8).write(to: folder.appendingPathComponent("pipeline.yaml"))
                let process = try SluiceProcess(
                    ["run", "pipeline.yaml", "--set", "source.redis_stream.start=beginning"], in: folder,
                    environment: ["REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": "unix:\(folder.path)/admin"])
                defer { process.kill() }
                // The store is being filled first, and on a busy machine it may be stale for a moment.
                var found = ""
                try await eventually("the active session passes") {
                    found = try await answers()
                    return found.hasPrefix("ds-1 allowed")
                }
                #expect(found == nobody.replacing("ds-1 refused\nds-2", with: "ds-1 allowed u\nds-2"))
                process.kill()
                #expect(try await answers() == nobody)
            }
        }
    }

    private func fill(_ server: RedisServer) async throws {
        try await withConnection(server.settings) { connection in
            for (key, status) in Self.sessions {
                let values = [
                    "gateway:session_events", "*", "device_session_id", key, "user_id", "u", "client_public_key", "k",
                    "status", status,
                ]
                _ = try await connection.command(RESPCommand("XADD", arguments: values.map { Array($0.utf8) }))
            }
        }
    }
}
