import Foundation
import RESP
import RedisClient
import Synchronization
import Testing

/// A worker under a service manager: what it tells on NOTIFY_SOCKET.
@Suite struct ServiceManagerTests {
    @Test(
        "The worker notifies systemd of readiness, state, watchdog, reloads and its end",
        arguments: [true, false])
    func course(isAbstract: Bool) async throws {
        try await withRedisServer { server in
            let name = isAbstract ? "@sluice-\(UUID().uuidString)" : server.folder.path + "/notify"
            let listener = try NotifyListener(name)
            server.kill()
            let arguments = ["--set", "source.redis_stream.read_block=100ms"]
            try await withWorker(server, arguments, environment: ["NOTIFY_SOCKET": name]) { process, _ in
                try await eventually("ready without a server") { listener.count("READY=1") == 1 }
                try await eventually("the reason") {
                    listener.lines.contains { $0.hasPrefix("STATUS=not connected to the source") }
                }
                try await server.start()
                try await eventually("caught up") { listener.count("STATUS=ready") >= 1 }
                let before = listener.count("WATCHDOG=1")
                try await eventually("fed again and again") { listener.count("WATCHDOG=1") >= before + 2 }
                try await process.signal(SIGHUP)
                try await eventually("reloaded") { listener.count("READY=1") == 2 }
                let lines = listener.lines
                let reloading = try #require(lines.firstIndex(of: "RELOADING=1"))
                #expect(lines[reloading + 1].hasPrefix("MONOTONIC_USEC="))
                #expect(lines[(reloading + 2)...].contains("READY=1"))
                try await process.signal(SIGTERM)
                #expect(try await process.end().status == 0)
                #expect(listener.lines.contains("STOPPING=1"))
            }
        }
    }

    @Test("A read loop that blocks on an unread journal does not feed the watchdog")
    func stuck() async throws {
        try await withRedisServer { server in
            let listener = try NotifyListener(server.folder.path + "/notify")
            let pipe = server.folder.path + "/journal"
            try #require(mkfifo(pipe, 0o600) == 0)
            // Held open and never read: a pipe has room for some hundred lines.
            let reader = open(pipe, O_RDWR)
            defer { close(reader) }
            let arguments = ["--journal", pipe, "--set", "source.redis_stream.read_block=100ms"]
            let environment = ["NOTIFY_SOCKET": server.folder.path + "/notify"]
            try await withWorker(server, arguments, environment: environment) { _, _ in
                try await eventually("caught up") { listener.count("STATUS=ready") >= 1 }
                try await withConnection(server.settings) { connection in
                    let filler = String(repeating: "x", count: 500)
                    for reply in connection.submit(
                        (0..<900).map { id in
                            RESPCommand(
                                "XADD", "gateway:session_events", "*", "device_session_id", "\(id)\(filler)", "user_id",
                                "u", "client_public_key", "k", "status", "active")
                        })
                    {
                        let added = try await reply.reply().value().string
                        #expect(added != nil)
                    }
                }
                var last = -1
                try await eventually("the watchdog goes hungry") {
                    let count = listener.count("WATCHDOG=1")
                    defer { last = count }
                    // Three looks of the worker without a word.
                    try await Task.sleep(for: .milliseconds(1600))
                    return last == count
                }
            }
        }
    }

    @Test("A missing service manager is a warning, and the worker runs")
    func nobody() async throws {
        try await withRedisServer { server in
            let environment = ["NOTIFY_SOCKET": server.folder.path + "/nobody"]
            try await withWorker(server, environment: environment) { process, _ in
                try await eventually("reading") { process.errors.contains("reading the stream") }
                // By another task than the one that reads.
                try await eventually("warned") { process.errors.contains("cannot notify the service manager") }
                try await process.signal(SIGTERM)
                #expect(try await process.end().status == 0)
            }
        }
    }
}
