import Foundation
import StageKit
import Testing

@testable import SluiceBench

@Suite struct InstrumentTests {
    @Test("A yardstick's line of JSON is parsed, with defaults for omitted values")
    func drainFigures() throws {
        let line = """
            {"entries":1000,"batches":8,"wall_s":0.5,"cpu_user_s":0.001,"cpu_sys_s":0.002,"peak_kib":2048}
            """
        let figures = try JSONDecoder().decode(DrainFigures.self, from: Data(line.utf8))
        #expect(figures.rate == 2000)
        #expect(abs(figures.cpuMicroseconds - 3) < 1e-9)
        #expect(figures.store == nil)
    }

    @Test("The histogram leaves out the warm-up latencies and reads microseconds")
    func histogram() {
        let values: [UInt64] = [9_000_000, 1_000, 2_000, 3_000]
        let bytes = values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        let histogram = LatencyHistogram(Data(bytes), skipping: 1)
        #expect(histogram.count == 3)
        #expect(abs(histogram.microseconds(50) - 2) < 0.01)
        #expect(abs(histogram.microseconds(100) - 3) < 0.01)
    }

    @Test("Generated events have a session's fields, and different sessions have different keys")
    func events() {
        let batch = EventBatch()
        var events = SessionEvents()
        for session in 0..<3 {
            events.append(
                session: UInt64(session), id: EntryID(milliseconds: UInt64(session + 1), sequence: 0), to: batch)
        }
        var keys: Set<String> = []
        for index in 0..<batch.count {
            batch.withEvent(at: index) { event in
                var names: [String] = []
                for position in 0..<event.rawFieldCount { names.append(event.text(event.rawField(at: position).name)) }
                #expect(names == ["device_session_id", "user_id", "client_public_key", "status"])
                keys.insert(event.text(event.rawField(at: 0).value))
            }
        }
        var key = [UInt8](repeating: 0, count: SessionEvents.keyLength)
        SessionEvents.writeKey(of: 2, to: &key, at: 0)
        #expect(keys.count == 3)
        #expect(keys.contains(String(decoding: key, as: UTF8.self)))
    }

    @Test("A pipeline that cannot start ends the measurement with its error", .timeLimit(.minutes(5)))
    func failedStart() async throws {
        var file = PipelineArguments()
        file.pipeline =
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("pipeline.yaml").path
        file.overrides = []
        let path = "stores.sessions.memory.share={ path: /dev/null/sessions, fields: [status] }"
        let filled = try FilledPipeline(sessions: 10, file, setting: [path])
        await #expect(throws: (any Error).self) { try await filled.run { Issue.record("it has not started") } }
    }

    @Test("A program that takes too long is killed", .timeLimit(.minutes(5)))
    func limit() {
        #expect(throws: ToolFailure.self) { try ChildProcess.run("/bin/sleep", ["3600"], limit: 0.1) }
        #expect(throws: ToolFailure.self) { try ChildProcess("/bin/sleep", ["3600"]).firstLine(limit: 0.1) }
    }

    @Test("A metered source stops after the batch that reaches the limit")
    func metered() async throws {
        let generated = GeneratedSource(sessions: 1000)
        generated.phase = .updating
        let source = MeteredSource(generated, limit: 300)
        var delivered = 0
        try await source.run { batch in delivered += batch.count }
        #expect(delivered == 384)
        #expect(source.reading?.events == 384)
        #expect(source.reading?.batches == 3)
    }

    @Test("A generated source first emits every session once, in batches, with ascending ids")
    func generated() async throws {
        let source = GeneratedSource(sessions: 300)
        var sizes: [Int] = []
        var last = EntryID.zero
        try await source.run { batch in
            sizes.append(batch.count)
            #expect(batch.lastID.map { $0 > last } == true)
            last = batch.lastID ?? last
            if last.milliseconds >= 300 { source.stop() }
        }
        #expect(sizes == [128, 128, 44])
        source.phase = .updating
        #expect(source.phase == .stopped)
    }

    @Test("The load tool's figures are the last line of JSON, and text without one is an error")
    func webFigures() throws {
        let line = #"{"requests":10,"failed":1,"seconds":0.5,"p50_us":80,"p99_us":900}"#
        let figures = try WebFigures(output: Data("Running 1s test\n  {not this\n\(line)\n".utf8))
        #expect((figures.requests, figures.failed) == (10, 1))
        #expect((figures.medianMicroseconds, figures.p99Microseconds) == (80, 900))
        #expect(throws: ToolFailure.self) { try WebFigures(output: Data("unable to connect\n".utf8)) }
    }

    @Test("The first line of a program is read while it is still running")
    func firstLine() throws {
        let child = try ChildProcess(
            "/bin/sh", ["-c", "echo $WORD; cat"], environment: ["WORD": "here"], keepsInput: true)
        defer { child.kill() }
        #expect(try String(decoding: child.firstLine(), as: UTF8.self) == "here")
        #expect(child.isRunning)
        let silent = try ChildProcess("/bin/true", [])
        #expect(throws: ToolFailure.self) { try silent.firstLine() }
    }

    @Test("The load tool uses the keys of the sessions")
    func keyLines() {
        let lines = LookupKeys(sessions: 3, seed: 1).lines(4).split(separator: UInt8(ascii: "\n"))
        var keys: [[UInt8]] = []
        for session in 0..<3 {
            var key = [UInt8](repeating: 0, count: SessionEvents.keyLength)
            SessionEvents.writeKey(of: UInt64(session), to: &key, at: 0)
            keys.append(key)
        }
        #expect(lines.count == 4)
        #expect(lines.allSatisfy { keys.contains(Array($0)) })
    }
}
