import Foundation
import NIOCore
import RESP
import RedisStreams
import Testing

@testable import Worker

/// No output of any verb holds a secret of the file, whatever it came from.
@Suite struct SecretsTests {
    private static let secret = "s3cret-hunter2"

    @Test("No verb that reads a file shows a password, good or wrong, from a variable or from --set")
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

    @Test("Logs at the level of traces, journal, metrics and /v1/pipeline of a running worker hold no password")
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
}
