import Foundation
import RESP
import RedisClient
import Testing

@Suite struct HaltTests {
    private static let stream = "gateway:session_events"

    @Test("A halt exits with 1 and the entry's position, and nothing of the batch is in the journal")
    func halt() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let commands = (1...250).map { id in
                    // One entry lacks its key.
                    RESPCommand(
                        "XADD", Self.stream, "\(id)-0", id == 150 ? "other" : "device_session_id", "ds-\(id)",
                        "user_id", "u", "client_public_key", "k", "status", "active")
                }
                for reply in connection.submit(commands) { _ = try await reply.reply().value() }
            }
            let arguments = [
                "--journal", "journal", "--set", "source.redis_stream.start=beginning",
                "--set", "source.redis_stream.read_count=100", "--set", "source.redis_stream.catch_up_count=100",
                "--set", "stages.0.on_failure=halt",
            ]
            try await withWorker(server, arguments) { process, folder in
                let ending = try await process.end()
                #expect(ending.status == 1)
                let place = #"halted by the stage "decode" at entry 150-0: decode session event: unsupported field"#
                #expect(ending.errors.replacing("\\", with: "").contains(place), "\(ending.errors)")
                let journal = try String(contentsOf: folder.appendingPathComponent("journal"), encoding: .utf8)
                #expect(journal.split(separator: "\n").count == 100)
            }
        }
    }
}
