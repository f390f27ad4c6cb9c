import Foundation
import Testing

@Suite struct UsageTests {
    private static let wrong = "pipeline: a b\nsource: { redis_stream: {} }\nstages: []\nextra: 1\n"

    @Test(
        "Wrong usage exits with 64 and the usage, and does nothing",
        arguments: [
            (["frob"], "Unexpected argument 'frob'"), (["run", "--frob"], "Unknown option '--frob'"),
            (["run", "a", "b"], "unexpected argument"), (["run", "--set", "x"], "expected a path and a value"),
            (["run", "--log-format", "xml"], "'text' and 'json'"), (["run", "--log-level", "loud"], "invalid"),
            (["validate"], "Missing expected argument"), (["lookup"], "Missing expected argument"),
            (["demo", "--rate", "0"], "out of range"), (["demo", "--duration", "soon"], "expected a duration"),
            (["demo", "--duration", "0s"], "expected a duration"),
            (["stages", "decoed"], "unknown type \"decoed\" (did you mean decode?)"),
            (["stages", "--format", "xml"], "'text' and 'json'"),
        ])
    func usage(arguments: [String], text: String) async throws {
        let ending = try await withFolder { try await SluiceProcess(arguments, in: $0).end() }
        #expect(ending.status == 64)
        #expect(ending.errors.localizedCaseInsensitiveContains(text), "\(ending.errors)")
        #expect(ending.errors.contains("Usage: sluice"))
        #expect(ending.output == "")
    }

    @Test("--help and --version exit with 0", arguments: [["--help"], ["run", "--help"], ["--version"]])
    func help(arguments: [String]) async throws {
        let ending = try await withFolder { try await SluiceProcess(arguments, in: $0).end() }
        #expect(ending.status == 0)
        #expect(!ending.output.isEmpty && ending.errors.isEmpty)
    }

    @Test(
        "A file that is not a pipeline ends every subcommand that reads one with 78 and one line",
        arguments: ["run", "validate", "graph", "check"])
    func unreadable(verb: String) async throws {
        let cases = [
            ("none.yaml", "none.yaml: there is no such file\n"),
            (".", ".: is a directory; name a pipeline file\n"),
            ("empty", "empty:1:1: expected a pipeline (names with values, such as stages:), found an empty file\n"),
            ("tab", "tab:2:1: found a tab where indentation was expected: use spaces\n"),
        ]
        for (file, line) in cases {
            let ending = try await sluice(verb, file, files: ["empty": "", "tab": "pipeline:\n\ta: b\n"])
            #expect(ending.status == 78, "\(file)")
            #expect(ending.errors == line, "\(file)")
            #expect(ending.output == "")
        }
    }

    @Test("A device and a FIFO are refused, not read forever")
    func notRegular() async throws {
        try await withFolder { folder in
            let fifo = folder.appendingPathComponent("fifo").path
            try #require(mkfifo(fifo, 0o600) == 0)
            for path in ["/dev/zero", fifo] {
                let ending = try await sluice("validate", path)
                #expect(ending.status == 78)
                #expect(
                    ending.errors == "\(path): is not a regular file; name a file, or - for standard input\n",
                    "\(ending.errors)")
            }
        }
    }

    @Test("A pipeline is read from standard input", arguments: ["-", "/dev/stdin"])
    func standardInput(name: String) async throws {
        // Standard input is /dev/null here: an empty document, which is refused with its position.
        let ending = try await sluice("validate", name)
        #expect(ending.status == 78)
        #expect(ending.errors.hasPrefix("\(name):1:1: "), "\(ending.errors)")
    }

    @Test("All files are reported, with all their errors, and valid ones as well")
    func severalFiles() async throws {
        let ending = try await sluice(
            "validate", "wrong.yaml", "none.yaml", ReferenceTests.pipelineFile, "wrong2.yaml",
            files: ["wrong.yaml": Self.wrong, "wrong2.yaml": "[]"])
        #expect(ending.status == 78)
        #expect(
            ending.errors == """
                wrong.yaml:1:11: pipeline: a name may only contain letters, digits, _ and -
                wrong.yaml:2:25: redis_stream: missing setting "stream" (or streams)
                wrong.yaml:3:9: stages: expected a list of stages (- decode: ...), found an empty list
                wrong.yaml:4:1: unknown section "extra" (one of pipeline, plugins, source, stores, stages, \
                branches, lanes, \
                redis, revocations, admin, telemetry, gateway, checkpoint)
                none.yaml: there is no such file
                wrong2.yaml:1:1: expected a pipeline (names with values, such as stages:), found a list

                """)
        #expect(ending.output == "\(ReferenceTests.pipelineFile): valid: session_subscriber, 8 stages\n")
        let good = try await sluice("validate", ReferenceTests.pipelineFile)
        #expect(good.status == 0 && good.errors.isEmpty)
    }

    @Test("JSON output is one document with all files and all errors")
    func validateJSON() async throws {
        let ending = try await sluice(
            "validate", "--format", "json", "wrong.yaml", "none.yaml", ReferenceTests.pipelineFile,
            files: ["wrong.yaml": Self.wrong])
        #expect(ending.status == 78 && ending.errors.isEmpty)
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(ending.output.utf8)) as? [String: Any])
        #expect(document["valid"] as? Bool == false)
        let files = try #require(document["files"] as? [[String: Any]])
        #expect(files.map { $0["file"] as? String } == ["wrong.yaml", "none.yaml", ReferenceTests.pipelineFile])
        #expect(files.map { $0["valid"] as? Bool } == [false, false, true])
        let issues = try files.map { try #require($0["issues"] as? [[String: Any]]) }
        #expect(issues.map(\.count) == [4, 1, 0])
        #expect(issues[0].map { $0["line"] as? Int } == [1, 2, 3, 4])
        #expect(issues[0].map { $0["column"] as? Int } == [11, 25, 9, 1])
        #expect(issues[0][0]["message"] as? String == "pipeline: a name may only contain letters, digits, _ and -")
        #expect(issues[0][0]["context"] as? String == "pipeline")
        #expect(issues[1][0]["message"] as? String == "there is no such file")
        let good = try await sluice("validate", "--format", "json", ReferenceTests.pipelineFile)
        #expect(good.status == 0)
    }

    @Test("The catalogue, its pages and the schema are written to standard output")
    func documentation() async throws {
        for arguments in [["stages"], ["stages", "upsert"], ["stages", "redis"], ["schema"]] {
            let ending = try await withFolder { try await SluiceProcess(arguments, in: $0).end() }
            #expect(ending.status == 0 && ending.errors.isEmpty)
            #expect(ending.output.count > 200)
        }
        for arguments in [["stages"], ["stages", "upsert"]] {
            let ending = try await withFolder {
                try await SluiceProcess(arguments + ["--format", "json"], in: $0).end()
            }
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(ending.output.utf8)) }
        }
    }

    @Test(
        "The graph is printed in each format, with --set applied",
        arguments: [
            ("text", "├─ upsert"), ("mermaid", "flowchart LR"), ("dot", "digraph \"other\" {"), ("svg", "<svg xmlns="),
        ])
    func graph(format: String, begin: String) async throws {
        let ending = try await withFolder {
            try await SluiceProcess(
                ["graph", ReferenceTests.pipelineFile, "--format", format, "--set", "pipeline=other"], in: $0
            ).end()
        }
        #expect(ending.status == 0 && ending.errors.isEmpty)
        #expect(ending.output.contains(begin) && ending.output.hasSuffix("\n"), "\(ending.output)")
        #expect(format == "mermaid" || ending.output.contains("other"))
    }

    @Test("Overrides are checked like the file, and run reports errors as validate does")
    func overrides() async throws {
        for verb in ["run", "validate"] {
            let ending = try await sluice(verb, ReferenceTests.pipelineFile, "--set", "redis.database=-1")
            #expect(ending.status == 78)
            #expect(ending.errors.contains("redis: database: -1 is out of range"), "\(ending.errors)")
        }
    }

    @Test("Without a worker, lookup and export exit with 1 and advice", arguments: ["lookup", "export"])
    func noWorker(verb: String) async throws {
        let key = verb == "lookup" ? ["key"] : []
        for address in ["127.0.0.1:1", "unix:/nonexistent/s"] {
            let ending = try await withFolder {
                try await SluiceProcess([verb] + key + ["--admin", address], in: $0).end()
            }
            #expect(ending.status == 1)
            #expect(ending.errors.contains("no worker responds at \(address)"), "\(ending.errors)")
            #expect(ending.output == "")
        }
    }
}
