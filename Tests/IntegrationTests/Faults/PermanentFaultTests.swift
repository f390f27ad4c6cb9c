import ComponentKit
import Foundation
import Logging
import RESP
import RedisClient
import SnapshotStores
import StageKit
import StageTestKit
import Testing

/// Faults that a retry cannot repair: a changed password, missing permissions, a key of a wrong type, a full disk.
@Suite struct PermanentFaultTests {
    /// A fault of a running worker, the message with which its run must end, and the repair.
    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let commands: [RESPCommand]
        let message: String
        let repairs: [RESPCommand]
        /// Whether the repair creates a new stream.
        var losesStream = false
    }

    private static let stream = SessionPipeline.stream

    static let all: [Fault] = [
        Fault(
            testDescription: "password changed, longer than credential_timeout",
            commands: [
                RESPCommand("CONFIG", "SET", "requirepass", "other"),
                RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
            ], message: "redis.password", repairs: [RESPCommand("CONFIG", "SET", "requirepass", "")]),
        Fault(
            testDescription: "read permission removed",
            commands: [RESPCommand("ACL", "SETUSER", "default", "-xread")], message: "ACL SETUSER",
            repairs: [RESPCommand("ACL", "SETUSER", "default", "+xread")]),
        Fault(
            testDescription: "permission for XINFO STREAM removed",
            commands: [RESPCommand("ACL", "SETUSER", "default", "-xinfo")], message: "+xinfo|stream",
            repairs: [RESPCommand("ACL", "SETUSER", "default", "+xinfo")]),
        Fault(
            testDescription: "key replaced by a string",
            commands: [RESPCommand("SET", stream, "text")], message: "choose another key, or delete this one",
            repairs: [RESPCommand("DEL", stream)], losesStream: true),
    ]

    private static let source = [
        "start": "beginning", "read_block": "100ms", "check_interval": "50ms", "max_staleness": "500ms",
    ]

    private func send(_ commands: [RESPCommand], _ connection: RedisConnection) async throws {
        for command in commands {
            let answer = try await connection.command(command)
            if case .error(let text) = answer { Issue.record("\(text)") }
        }
    }

    @Test(
        "The run ends with advice, lookups are refused, and a worker started after the repair is complete",
        arguments: all
    )
    func ended(fault: Fault) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for index in 0..<100 { try await connection.addSession("s\(index)") }
                let last = try await connection.addSession("s0", "revoked")
                let session = try SessionPipeline(
                    server.address, Self.source, others: ["redis.credential_timeout": "200ms"])
                let failure = await #expect(throws: (any Error).self) {
                    try await session.run {
                        try await session.caughtUp(last)
                        try await self.send(fault.commands, connection)
                        try await eventually("ended: \(session.status)") { session.status.state == .stopped }
                    }
                }
                let text = failure.map { "\($0)" } ?? ""
                #expect(text.contains(fault.message), "\(text)")
                let isActive = session.store.condition("status", equals: "active")
                #expect(session.store.ask("s0", isActive) != .yes)
                try await eventually("refused") { session.store.ask("s1", isActive) == .stale }
                try await self.send(fault.repairs, connection)
                if fault.losesStream { try await connection.addSession("s0", "revoked") }
                let revoked = try await connection.addSession("s1", "revoked")
                let repaired = ContinuousClock.now
                let next = try SessionPipeline(server.address, Self.source)
                try await next.run {
                    try await next.caughtUp(revoked)
                    let wrong = (0..<2).count { next.sessions["s\($0)"] != "revoked" }
                    #expect(wrong == 0 && next.store.count == (fault.losesStream ? 2 : 100))
                    FaultTable.add(
                        fault.testDescription, entries: 102, told: "run ended with advice", wrong: wrong, revoked: 0,
                        ContinuousClock.now - repaired)
                }
            }
        }
        FaultTable.write()
    }

    /// Runs a command and returns whether it succeeded.
    private static func succeeds(_ command: String...) -> Bool {
        let child = try? Child(["/usr/bin/env"] + command, in: URL(fileURLWithPath: "/dev"), log: "null")
        return child?.wait() == 0
    }

    /// Mounts a disk of 64 KiB in a directory; returns false if this user may not.
    private static func mounts(_ folder: URL) -> Bool {
        self.succeeds("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.path)
    }

    /// Whether disks can be mounted here, tested once.
    private static let canMount: Bool = {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-mount-\(UUID().uuidString)")
        guard (try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)) != nil else {
            return false
        }
        defer { try? FileManager.default.removeItem(at: folder) }
        return Self.mounts(folder) && Self.succeeds("umount", folder.path)
    }()

    @Test(
        "On a full disk the previous checkpoint is kept and the worker continues; a restart loses nothing",
        .enabled(if: canMount, "needs the permission to mount a tmpfs"))
    func fullDisk() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let disk = folder.appendingPathComponent("disk")
                try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
                #expect(Self.mounts(disk))
                defer { #expect(Self.succeeds("umount", disk.path)) }
                let file = disk.appendingPathComponent("checkpoint")
                func bytes() -> Data? { try? Data(contentsOf: file) }
                func pipeline(logger: Logger = quiet) throws -> SessionPipeline {
                    try SessionPipeline(
                        server.address, ["start": "resume", "bootstrap": "stream", "check_interval": "50ms"],
                        others: ["checkpoint": "{ path: \(file.path), interval: 10ms }"], logger: logger)
                }
                try await withConnection(server.settings) { connection in
                    let first = try await connection.addSession("a")
                    let log = RecordingLog()
                    let session = try pipeline(logger: log.logger(label: "test"))
                    let held = try await session.run {
                        try await session.caughtUp(first)
                        try await eventually("a checkpoint") { bytes() != nil }
                        try? Data(count: 60 << 10).write(to: disk.appendingPathComponent("other"))
                        // One attempt follows another, so once one has failed, none is under way that had room.
                        func failures() -> Int {
                            log.lines.count { $0.message.hasPrefix("cannot write the checkpoint") }
                        }
                        try await connection.addSession("a")
                        try await eventually("no room") { failures() > 0 }
                        let held = bytes()
                        for index in 0..<300 { try await connection.addSession("s\(index)") }
                        let last = try await connection.addSession("a", "revoked")
                        try await session.caughtUp(last)
                        let before = failures()
                        try await eventually("still no room") { failures() > before + 1 }
                        #expect(bytes() == held && session.sessions.count == 301)
                        return held
                    }
                    // The last one, at the end of the run, found no room either.
                    #expect(bytes() == held && held != nil)
                    let started = ContinuousClock.now
                    let next = try pipeline()
                    try await next.run {
                        let last = try await connection.addSession("b")
                        try await next.caughtUp(last)
                        #expect(next.status.gaps.isEmpty && next.sessions.count == 302)
                        #expect(next.sessions["a"] == "revoked")
                        FaultTable.add(
                            "disk full under the checkpoint", entries: 303,
                            told: "error logged, the previous one is kept", wrong: 0, revoked: 0,
                            ContinuousClock.now - started)
                        try FileManager.default.removeItem(at: disk.appendingPathComponent("other"))
                        try await eventually("a checkpoint again") { bytes() != held }
                    }
                }
            }
        }
        FaultTable.write()
    }
}
