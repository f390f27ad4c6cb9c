import Foundation
import Testing

@Suite struct DemoTests {
    /// Servers that hold a file below the folder open or were started for it.
    private func processes(naming folder: URL) -> [String] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.filter { Int($0) != nil }.compactMap { pid in
            let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
            let line = String(decoding: data.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
            return line.contains("redis-server") && line.contains(folder.path) ? line : nil
        }
    }

    private func expectNothingLeft(_ folder: URL) throws {
        #expect(self.processes(naming: folder) == [])
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(Set(left).isSubset(of: ["out", "err", "pid", "shell", "pipeline.yaml"]), "\(left)")
    }

    private func start(_ folder: URL, _ arguments: [String]) throws -> SluiceProcess {
        // The file's own timeout is for production: on a busy machine it would be logged as an error now and then.
        let text = try String(contentsOfFile: ReferenceTests.pipelineFile, encoding: .utf8)
            .replacing("timeout: 250ms", with: "timeout: 20s")
        try Data(text.utf8).write(to: folder.appendingPathComponent("pipeline.yaml"))
        // Variables of a real server must not lead the demo there.
        return try SluiceProcess(
            ["demo", "pipeline.yaml"] + arguments, in: folder,
            environment: ["REDIS_ADDRESS": "192.0.2.1:1", "REDIS_PASSWORD": "x"])
    }

    @Test("A demo with a duration shows the flow, ends by itself with a summary, and leaves nothing behind")
    func duration() async throws {
        try await withFolder { folder in
            let process = try self.start(folder, ["--duration", "3s", "--rate", "500"])
            let ending = try await process.end()
            #expect(ending.status == 0, "\(ending.errors)")
            for text in ["events/s", "sessions", "revocations", "XADD to applied", "outcomes:", "applied", "evicted"] {
                #expect(ending.output.contains(text), "\(text): \(ending.output)")
            }
            #expect(!ending.errors.contains("critical") && !ending.errors.contains("error"), "\(ending.errors)")
            try self.expectNothingLeft(folder)
        }
    }

    @Test("A signal ends a demo with 0 and a summary, and leaves nothing behind", arguments: [SIGINT, SIGTERM])
    func signal(number: Int32) async throws {
        try await withFolder { folder in
            let process = try self.start(folder, [])
            try await eventually("it shows something") { process.output.contains("events/s") }
            #expect(self.processes(naming: folder).count == 1, "a server of its own, in its temporary folder")
            try await process.signal(number)
            let ending = try await process.end()
            #expect(ending.status == 0, "\(ending.errors)")
            #expect(ending.output.contains("outcomes:"), "\(ending.output)")
            try self.expectNothingLeft(folder)
        }
    }

    @Test("A demo without a redis-server says what to install")
    func noServer() async throws {
        let ending = try await withFolder { folder in
            try await SluiceProcess(
                ["demo", ReferenceTests.pipelineFile], in: folder, environment: ["PATH": "/nonexistent"]
            ).end()
        }
        #expect(ending.status == 1)
        #expect(ending.errors.contains("apt-get install redis-server"), "\(ending.errors)")
    }
}
