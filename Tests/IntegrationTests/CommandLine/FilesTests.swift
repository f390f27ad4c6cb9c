import Foundation
import Testing

/// Files that a worker shares with others: another worker, log rotation, a reader that has stopped.
@Suite struct FilesTests {
    private static let resume = ["--set", "source.redis_stream.start=resume"]

    @Test("A second worker on a checkpoint exits with 1 and names the holder; after kill -9 it starts")
    func twoWorkers() async throws {
        try await withRedisServer { server in
            try await withFolder { shared in
                let path = shared.appendingPathComponent("checkpoint").path
                let arguments = Self.resume + ["--set", "checkpoint={ path: \"\(path)\", interval: 10ms }"]
                try await withWorker(server, arguments) { first, _ in
                    try await eventually("a checkpoint") { FileManager.default.fileExists(atPath: path) }
                    let second = try await withWorker(server, arguments) { process, _ in try await process.end() }
                    #expect(second.status == 1, "\(second.errors)")
                    let pid = try #require(first.pid)
                    #expect(second.errors.contains("checkpoint \(path): another worker, process \(pid), uses it"))
                    try await first.signal(SIGKILL)
                    _ = try await first.end()
                }
                try await withWorker(server, arguments) { third, folder in
                    try await eventually("listening") {
                        FileManager.default.fileExists(atPath: "\(folder.path)/admin")
                    }
                    try await third.signal(SIGTERM)
                    let ending = try await third.end()
                    #expect(ending.status == 0, "\(ending.errors)")
                    #expect(!ending.errors.contains("gap"), "\(ending.errors)")
                }
                #expect(try FileManager.default.contentsOfDirectory(atPath: shared.path) == ["checkpoint"])
            }
        }
    }

    @Test("SIGHUP reopens the journal that log rotation has renamed, also if the reload is refused")
    func rotation() async throws {
        try await withRedisServer { server in
            try await withFolder { shared in
                let journal = shared.appendingPathComponent("journal").path
                let file = shared.appendingPathComponent("p.yaml").path
                try FileManager.default.copyItem(atPath: ReferenceTests.pipelineFile, toPath: file)
                let process = try SluiceProcess(
                    ["run", file, "--journal", journal], in: shared,
                    environment: [
                        "REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": "unix:\(shared.path)/admin",
                    ])
                defer { process.kill() }
                func lines(_ path: String) -> Int {
                    ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").count
                }
                try await withConnection(server.settings) { connection in
                    try await eventually("listening") {
                        FileManager.default.fileExists(atPath: "\(shared.path)/admin")
                    }
                    try await eventually("the first line") {
                        _ = try await connection.addSession("a")
                        return lines(journal) > 0
                    }
                    // The sessions before it are in the journal when it is, and none of them is written later.
                    _ = try await connection.addSession("last")
                    try await eventually("the last line") {
                        (try? String(contentsOfFile: journal, encoding: .utf8))?.contains("\"key\":\"last\"") == true
                    }
                    #expect(rename(journal, journal + ".1") == 0)
                    try Data("pipeline: wrong".utf8).write(to: URL(fileURLWithPath: file))
                    try await process.signal(SIGHUP)
                    try await eventually("refused") { process.errors.contains("reload refused") }
                    _ = try await connection.addSession("b")
                    try await eventually("a line in the new file") { lines(journal) == 1 }
                }
                try await process.signal(SIGTERM)
                #expect(try await process.end().status == 0)
            }
        }
    }

    @Test("Reloading a FIFO is refused, and later reloads and SIGTERM work")
    func fifo() async throws {
        try await withRedisServer { server in
            try await withFolder { shared in
                let file = shared.appendingPathComponent("p.yaml").path
                try FileManager.default.copyItem(atPath: ReferenceTests.pipelineFile, toPath: file)
                let process = try SluiceProcess(
                    ["run", file], in: shared,
                    environment: [
                        "REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": "unix:\(shared.path)/admin",
                    ])
                defer { process.kill() }
                try await eventually("listening") { FileManager.default.fileExists(atPath: "\(shared.path)/admin") }
                try FileManager.default.removeItem(atPath: file)
                try #require(mkfifo(file, 0o600) == 0)
                try await process.signal(SIGHUP)
                try await eventually("refused") { process.errors.contains("is not a regular file") }
                try FileManager.default.removeItem(atPath: file)
                try FileManager.default.copyItem(atPath: ReferenceTests.pipelineFile, toPath: file)
                try await process.signal(SIGHUP)
                try await eventually("read again") { process.errors.contains("reload: no changes") }
                try await process.signal(SIGTERM)
                #expect(try await process.end().status == 0)
            }
        }
    }

    /// Runs a shell script with the command as `$0` and the shipped pipeline as `$1`.
    private func shell(_ script: String, in folder: URL) throws -> Child {
        try Child(
            ["/bin/sh", "-c", script, SluiceProcess.executable, ReferenceTests.pipelineFile], in: folder, log: "log")
    }

    @Test("SIGTERM ends a worker whose standard error nobody reads")
    func stalledLog() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let reader = try fullFIFO(folder.appendingPathComponent("fifo").path)
                defer { close(reader) }
                let child = try self.shell(
                    """
                    export REDIS_ADDRESS=\(server.address) SLUICE_LISTEN=unix:$PWD/admin
                    "$0" run "$1" --log-level trace 2>fifo & echo $! >pid; wait $!
                    """, in: folder)
                try await eventually("listening") { FileManager.default.fileExists(atPath: "\(folder.path)/admin") }
                let pid = try await processID(in: folder.appendingPathComponent("pid"))
                try #require(kill(pid, SIGTERM) == 0)
                var status: Int32?
                try await eventually("the end") {
                    status = child.endedStatus()
                    return status != nil
                }
                #expect(status == 0)
            }
        }
    }

    @Test("Too low an open file limit exits with 1 and advice", arguments: ["run", "check"])
    func openFiles(command: String) async throws {
        try await withFolder { folder in
            let child = try self.shell("ulimit -n 16; exec \"$0\" \(command) \"$1\"", in: folder)
            var status: Int32?
            try await eventually("the end") {
                status = child.endedStatus()
                return status != nil
            }
            #expect(status == 1)
            let log = try String(contentsOf: folder.appendingPathComponent("log"), encoding: .utf8)
            #expect(log.hasPrefix("sluice: the limit of open files is 16, but at least "), "\(log)")
        }
    }
}
