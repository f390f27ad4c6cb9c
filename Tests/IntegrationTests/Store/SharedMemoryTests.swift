import CSluiceLookup
import Foundation
import RESP
import RedisClient
import StageKit
import Testing

/// A worker's shared store, read from another process with the C library.
@Suite(.timeLimit(.minutes(5))) struct SharedMemoryTests {
    /// A handle of the C library.
    final class Reader {
        private let handle: OpaquePointer
        private let active: Int32

        init(_ path: String) throws {
            self.handle = try #require(sluice_lookup_open(path))
            self.active = sluice_lookup_condition(self.handle, "active")
        }

        deinit { sluice_lookup_close(self.handle) }

        func ask(_ key: String) -> sluice_answer { sluice_lookup_ask(self.handle, key, key.utf8.count, self.active) }

        var state: sluice_state {
            var state = sluice_state()
            sluice_lookup_state(self.handle, &state)
            return state
        }
    }

    static func arguments(_ path: String) -> [String] {
        let share = "{ path: \(path), fields: [status, user_id] }"
        let memory = "{ key: device_session_id, conditions: { active: { status: active } }, share: \(share) }"
        return ["--set", "stores.sessions={ memory: \(memory) }", "--set", "source.redis_stream.start=beginning"]
    }

    static func session(_ key: String, _ status: String) -> [String] {
        ["device_session_id", key, "user_id", "u", "client_public_key", "top-secret", "status", status]
    }

    func add(_ server: RedisServer, _ entries: [[String]]) async throws {
        try await withConnection(server.settings) { connection in
            for fields in entries {
                let arguments = ["gateway:session_events", "*"] + fields
                _ = try await connection.command(RESPCommand("XADD", arguments: arguments.map { Array($0.utf8) }))
            }
        }
    }

    @Test("A worker's sessions are read by another process, until the worker is stopped, killed, or shut down")
    func worker() async throws {
        try await withRedisServer { server in
            try await self.add(server, [Self.session("ds-1", "active"), Self.session("ds-2", "revoked")])
            try await withFolder { shared in
                let path = shared.path + "/store/sessions"
                let reader = try Reader(path)
                #expect(reader.ask("ds-1") == SLUICE_STALE)
                try await withWorker(server, Self.arguments(path)) { worker, _ in
                    try await eventually("the session is shared") { reader.ask("ds-1") == SLUICE_ALLOWED }
                    // On a busy machine it may be stale at any moment.
                    try await eventually("refused") { reader.ask("ds-2") == SLUICE_REFUSED }
                    try await eventually("absent") { reader.ask("ds-3") == SLUICE_ABSENT }
                    try await self.add(server, [Self.session("ds-1", "revoked"), Self.session("ds-3", "suspended")])
                    try await eventually("the revocation is shared") { reader.ask("ds-1") == SLUICE_REFUSED }
                    // Stopped, it is stale after the heartbeat's limit, and answers again when it goes on.
                    try await worker.signal(SIGSTOP)
                    try await eventually("stale") { reader.ask("ds-1") == SLUICE_STALE }
                    #expect((0..<100_000).allSatisfy { reader.ask("ds-\($0 % 4)") == SLUICE_STALE })
                    try await eventually("dead") { reader.state.status == SLUICE_STATUS_DEAD }
                    try await worker.signal(SIGCONT)
                    try await eventually("fresh again") { reader.ask("ds-1") == SLUICE_REFUSED }
                    try await worker.signal(SIGKILL)
                    try await eventually("stale") { reader.ask("ds-1") == SLUICE_STALE }
                    #expect((0..<100_000).allSatisfy { reader.ask("ds-\($0 % 4)") == SLUICE_STALE })
                }
                let epoch = reader.state.epoch
                try await withWorker(server, Self.arguments(path)) { worker, _ in
                    try await eventually("the new worker's file is read") { reader.ask("ds-1") == SLUICE_REFUSED }
                    #expect(reader.state.epoch != epoch)
                    try await worker.signal(SIGTERM)
                    #expect(try await worker.end().status == 0)
                }
                #expect(reader.ask("ds-1") == SLUICE_STALE)
                #expect(reader.state.status == SLUICE_STATUS_CLOSED)
                #expect(!FileManager.default.fileExists(atPath: path))
            }
        }
    }

    @Test("Any other file at the path ends the worker with an error that names the path")
    func refusedPath() async throws {
        try await withRedisServer { server in
            try await withFolder { shared in
                let path = shared.path + "/precious"
                try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
                try await withWorker(server, Self.arguments(path)) { worker, _ in
                    let ending = try await worker.end()
                    #expect(ending.status == 1)
                    #expect(ending.errors.contains("it is not the file of a shared store: remove it"))
                    #expect(ending.errors.contains(path))
                }
                #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
            }
        }
    }
}
