import Foundation
import NIOCore
import RESP
import RedisClient
import Testing

@testable import Commands

/// No output of any verb holds a secret of the file, whatever it came from.
@Suite struct SecretsTests {
    private static let secret = "s3cret-hunter2"

    @Test("No subcommand shows a password from a file, a variable or --set, whether valid or not")
    func verbs() async throws {
        let file = ReferenceTests.pipelineFile
        var verbs = [["validate", file], ["validate", "--format", "json", file], ["stages", "redis"], ["schema"]]
        verbs += ["text", "mermaid", "dot", "svg"].map { ["graph", file, "--format", $0] }
        verbs += [["check", file], ["check", file, "--format", "json"]]
        let away = ["REDIS_ADDRESS": "unix:/nonexistent/s", "REDIS_PASSWORD": Self.secret]
        for verb in verbs {
            let ending = try await withFolder { try await SluiceProcess(verb, in: $0, environment: away).end() }
            #expect(!(ending.output + ending.errors).contains(Self.secret), "\(verb)")
        }
        let mistakes = [
            "redis.password=[\(Self.secret)]", "redis.password={ a: \(Self.secret) }", "redis.passwrd=\(Self.secret)",
            "redis.password.x=\(Self.secret)", "redis.password=\"\(Self.secret)", "=\(Self.secret)",
        ]
        for mistake in mistakes {
            let ending = try await withFolder {
                try await SluiceProcess(["validate", file, "--set", mistake], in: $0, environment: away).end()
            }
            #expect(ending.status == 78 || ending.status == 64, "\(mistake)")
            #expect(!(ending.output + ending.errors).contains(Self.secret), "\(mistake): \(ending.errors)")
        }
    }

    @Test("Trace logs, journal, metrics and /v1/pipeline of a running worker contain no password")
    func running() async throws {
        try await withRedisServer(.init(arguments: ["--requirepass", Self.secret])) { server in
            var settings = server.settings
            settings.password = Secret(Self.secret)
            try await withConnection(settings) { connection in
                _ = try await connection.command(RESPCommand("XADD", "gateway:session_events", "5-1", "user_id", "u"))
            }
            let arguments = [
                "--log-level", "trace", "--journal", "-", "--set", "source.redis_stream.start=beginning",
            ]
            let environment = ["REDIS_PASSWORD": Self.secret]
            try await withWorker(server, arguments, environment: environment) { process, folder in
                try await eventually("journal") { process.output.contains("\"entry\":\"5-1\"") }
                var shown = ""
                let client = AdminClient(address: "unix:\(folder.path)/admin")
                // The stream is read from the beginning; whether the HTTP side listens by then is chance.
                try await eventually("listening") { (try? await client.get("/livez") { _, _ in }) != nil }
                for path in ["/metrics", "/v1/pipeline", "/readyz"] {
                    _ = try await client.get(path) { _, piece in shown += String(buffer: piece) }
                }
                #expect(shown.contains("sluice_events_total") && shown.contains("\"arrows\""))
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                #expect(ending.status == 0)
                #expect(ending.errors.contains("trace"))
                #expect(!(shown + ending.output + ending.errors).contains(Self.secret))
            }
            try await withWorker(server, ["--log-level", "trace"], environment: ["REDIS_PASSWORD": "wr0ng-one"]) {
                process, _ in
                let ending = try await process.end()
                #expect(ending.status == 1)
                #expect(!(ending.output + ending.errors).contains("wr0ng-one"))
            }
        }
    }

    /// The shipped pipeline with its key and status declared secret, a branch that makes new fields of the key, counts by
    /// it, and puts the event aside.
    private static func pipeline() throws -> String {
        var text = try String(contentsOfFile: ReferenceTests.pipelineFile, encoding: .utf8)
        let changes = [
            ("device_session_id: { type: string,", "device_session_id: { secret: true, type: string,"),
            ("status:            { type: string,", "status: { secret: true, type: string,"),
            ("revoked_at_ms:     { type: int64 }", "revoked_at_ms: { secret: true, type: int64 }"),
            // For production; a busy machine needs longer.
            ("timeout: 250ms", "timeout: 20s"),
            (
                "    - evict: { store: sessions, key: device_session_id }",
                """
                    - evict: { store: sessions, key: device_session_id }
                    - set: { whole: "<{device_session_id}>", copy: "{device_session_id}" }
                    - rename: { copy: moved }
                    - log: { level: warning, message: made of it, fields: [whole, moved, status] }
                    - metrics: { counter: made, labels: [whole, moved, device_session_id] }
                    - validate: { moved: { one_of: [nothing] } }
                      on_failure: dead_letter
                """
            ),
        ]
        for (old, new) in changes { text = text.replacingOccurrences(of: old, with: new) }
        return text
    }

    @Test("The shipped pipeline shows a secret key only in lookups and exports")
    func fields() async throws {
        let text = try Self.pipeline()
        try await withRedisServer { server in
            try await withFolder { folder in
                let file = folder.appendingPathComponent("p.yaml")
                try Data(text.utf8).write(to: file)
                let admin = "unix:\(folder.path)/admin"
                let environment = ["REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": admin]
                let arguments = ["run", file.path, "--log-level", "trace", "--journal", "-"]
                let process = try SluiceProcess(arguments, in: folder, environment: environment)
                defer { process.kill() }
                try await eventually("ready") {
                    (try? await AdminClient(address: admin).answer("/readyz").status) == 200
                }
                let tapFolder = folder.appendingPathComponent("tap")
                try FileManager.default.createDirectory(at: tapFolder, withIntermediateDirectories: true)
                let tap = try SluiceProcess(
                    ["tap", "--admin", admin, "--format", "json", "--duration", "600s"], in: tapFolder)
                let client = AdminClient(address: admin)
                var shown = ""
                try await withConnection(server.settings) { connection in
                    // The tap is open when it shows something.
                    var number = 0
                    try await eventually("tapped") {
                        for status in ["active", "revoked", "\(Self.secret)-status"] {
                            _ = try await connection.addSession("\(Self.secret)-\(number)", status)
                        }
                        number += 1
                        return tap.output.contains("dead_lettered")
                    }
                    _ = try await connection.addSession("\(Self.secret)-last", "active")
                    try await eventually("applied") {
                        (try? await client.answer("/v1/stores/sessions/\(Self.secret)-last").status) == 200
                    }
                    let deadLetters = try await connection.command(
                        RESPCommand("XRANGE", "gateway:session_events:dead", "-", "+", "COUNT", 1))
                    let deadLetter = deadLetters.array?.first?.array?.last?.array?.compactMap(\.string) ?? []
                    let error = deadLetter.firstIndex(of: "error").map { deadLetter[$0 + 1] }
                    #expect(error == "validate: status: unsupported value [secret] (one of active, revoked)")
                }
                for path in ["/metrics", "/v1/pipeline", "/v1/explain/sessions/\(Self.secret)-0"] {
                    shown += String(buffer: try await client.answer(path).body)
                }
                #expect(shown.contains("\"key\":\"[secret]\"") && shown.contains("made_total"))
                // The first event of a stream that does not end.
                struct Enough: Error {}
                do {
                    try await client.events("/v1/live") { event in
                        shown += event.data
                        throw Enough()
                    }
                } catch is Enough {}
                #expect(shown.contains("\"drops\":[{") && shown.contains("\"recent\":[{"))
                let deadLetters = try await sluice("dlq", "list", "--file", file.path, environment: environment)
                shown += deadLetters.output
                let id = deadLetters.output.split(separator: "\n").last?.split(separator: " ").first.map(String.init)
                let deadLetter = try await sluice(
                    "dlq", "show", id ?? "", "--file", file.path, environment: environment)
                #expect(deadLetter.output.contains("device_session_id: [secret]"), "\(deadLetters) \(deadLetter)")
                shown += deadLetter.output
                let export = try await sluice("export", "--admin", admin)
                #expect(export.output.contains("\(Self.secret)-last"))
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                let tapped = try await tap.end()
                #expect(ending.status == 0 && ending.errors.contains("made of it"))
                let all = shown + ending.output + ending.errors + tapped.output + tapped.errors
                let found = all.split(separator: "\n").filter { $0.contains(Self.secret) }
                #expect(found.isEmpty, "\(found.prefix(5))")
            }
        }
    }
}
