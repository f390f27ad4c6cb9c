import ComponentKit
import Foundation
import RESP
import RedisClient
import StageKit
import Testing

@testable import Commands

/// Stage types in shared libraries: built by the worker's verb, loaded by the worker, refused where they do not fit.
@Suite struct PluginTests {
    private static let pipeline = """
        pipeline: masked
        plugins: mask.so
        redis: { address: "${REDIS_ADDRESS}" }
        source: { redis_stream: { stream: people, start: beginning } }
        stores: { people: { memory: { key: id, max_record_bytes: 128B } } }
        stages:
          - decode: { fields: { id: { type: string, required: true }, mail: { type: string } } }
          - mask: { field: mail, keep: 2 }
          - keep: { store: people }
        admin: { listen: "${SLUICE_LISTEN}" }

        """

    @Test func `Events run through a plugin's stages, whose errors and stores are reserved for the worker`()
        async throws
    {
        try await withPluginFolder { plugins in
            try await plugins.build("mask", PluginFolder.mask)
            try Data(Self.pipeline.utf8).write(to: plugins.folder.appendingPathComponent("p.yaml"))
            try await withRedisServer { server in
                let long = String(repeating: "x", count: 300)
                try await withConnection(server.settings) { connection in
                    let entries = [
                        RESPCommand("XADD", "people", "*", "id", "1", "mail", "ann@b.org"),
                        RESPCommand("XADD", "people", "*", "id", "2"),
                        RESPCommand("XADD", "people", "*", "id", long, "mail", "m"),
                    ]
                    for entry in entries { _ = try await connection.command(entry) }
                }
                let admin = "unix:\(plugins.folder.path)/admin"
                let process = try SluiceProcess(
                    ["run", "p.yaml", "--journal", "journal"], in: plugins.folder,
                    environment: ["REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": admin])
                defer { process.kill() }
                let journal = plugins.folder.appendingPathComponent("journal")
                func lines() -> [String] {
                    let text = (try? String(contentsOf: journal, encoding: .utf8)) ?? ""
                    return text.split(separator: "\n").map(String.init)
                }
                try await eventually("three outcomes") { lines().count == 3 }
                #expect(lines()[0].contains(#""outcome":"applied","key":"1","effects":["keep"]"#))
                #expect(lines()[1].contains(#""outcome":"dropped","reason":"nothing_to_mask","stage":"mask""#))
                #expect(lines()[2].contains(#""reason":"keep_failure","stage":"keep""#))
                #expect(lines()[2].contains("kept nothing: "))
                // Written, it may not have caught up yet.
                try await eventually("answered") {
                    try await sluice("lookup", "1", "--admin", admin, "--store", "people").output
                        .contains(#""mail":"an***""#)
                }
                try await process.signal(SIGTERM)
                let ending = try await process.end()
                #expect(ending.status == 0, "\(ending.errors)")
            }
        }
    }

    @Test func `A plugin is found from the file's folder, by its full path, and by --plugin from the folder one is in`()
        async throws
    {
        try await withPluginFolder { plugins in
            let library = try await plugins.build("greet", PluginFolder.stage(called: "greet"))
            let stage = "greet: {}"
            for list in ["greet.so", "[./greet.so]", "[\(library.path)]", "[greet.so, ./greet.so]"] {
                let ending = try await plugins.validate(list, stage: stage)
                #expect(ending.status == 0, "\(list): \(ending.errors)")
            }
            #expect(try await plugins.validate("[]", stage: stage, ["--plugin", "greet.so"]).status == 0)
            let both = try await plugins.validate("greet.so", stage: stage, ["--plugin", library.path])
            #expect(both.status == 0, "\(both.errors)")
            let elsewhere = try await withFolder {
                try await SluiceProcess(["validate", plugins.folder.path + "/p.yaml"], in: $0).end()
            }
            #expect(elsewhere.status == 0, "\(elsewhere.errors)")
            let missing = try await plugins.validate("[]", stage: stage, ["--plugin", "gone.so"])
            #expect(missing.status == 78)
            #expect(missing.errors == "--plugin gone.so: No such file or directory\n")
        }
    }

    @Test func `A plugin that does not fit is refused where the file names it, and nothing else is told of its stages`()
        async throws
    {
        try await withPluginFolder { plugins in
            let library = try await plugins.build("greet", PluginFolder.stage(called: "greet"))
            let fingerprint = KitBuild.fingerprint
            let other = (fingerprint.first == "0" ? "1" : "0") + fingerprint.dropFirst()
            try plugins.copy(library, to: "kit.so", replacing: fingerprint, by: other)
            let compiler = KitBuild.compiler
            try plugins.copy(
                library, to: "old.so", replacing: "compiler=\(compiler)", by: "compiler=X\(compiler.dropFirst())")
            try plugins.copy(library, to: "stampless.so", replacing: "Sluice\0\0entry=", by: "Sluice\0\0extra=")
            try plugins.write(Data("no library".utf8), to: "text.so")
            var arm = try Data(contentsOf: library)
            arm[18] = arm[18] == 183 ? 62 : 183
            try plugins.write(arm, to: "arm.so")
            try plugins.write(Data(contentsOf: library), to: "open.so", mode: 0o664)
            let names = ["none", "kit", "old", "stampless", "text", "arm", "open"]
            let list = names.map { "\($0).so" }.joined(separator: ", ")
            let ending = try await plugins.validate("[\(list)]", stage: "greet: {}")
            let reasons = [
                "No such file or directory", "was built against another build of Sluice (\(other), this worker has",
                "was built by X\(compiler.dropFirst()), this worker by \(compiler)", "is not a Sluice plugin",
                "is not a shared library", "is a shared library for another architecture", "chmod go-w",
            ]
            let lines = ending.errors.split(separator: "\n")
            #expect(lines.count == names.count, "\(ending.errors)")
            var column = 11
            for (line, (name, reason)) in zip(lines, zip(names, reasons)) {
                #expect(
                    line.hasPrefix("p.yaml:2:\(column): plugins: \(name).so: \(reason)")
                        || (name == "open"
                            && line.hasPrefix("p.yaml:2:\(column): plugins: \(name).so: is executable code")
                            && line.contains(reason)),
                    "\(line)")
                column += name.count + 5
            }
            #expect(ending.status == 78)
        }
    }

    @Test func `Stage names are there once, whoever has them, and so are modules`() async throws {
        try await withPluginFolder { plugins in
            try await plugins.build("first", PluginFolder.stage(called: "greet"))
            try await plugins.build("second", PluginFolder.stage(called: "greet"))
            let clash = try await plugins.validate("[first.so, second.so]", stage: "greet: {}")
            let first = plugins.folder.appendingPathComponent("first.so").path
            #expect(
                clash.errors
                    == "p.yaml:2:21: plugins: second.so: the stage type greet is already provided by the plugin "
                    + "\(first)\n"
            )
            try await plugins.build("builtin", PluginFolder.stage(called: "decode"))
            let builtin = try await plugins.validate("builtin.so")
            #expect(
                builtin.errors
                    == "p.yaml:2:10: plugins: builtin.so: the stage type decode is already provided by this worker\n")
            let copy = plugins.folder.appendingPathComponent("copy.so")
            try FileManager.default.copyItem(at: URL(fileURLWithPath: first), to: copy)
            let module = try await plugins.validate("[first.so, copy.so]", stage: "greet: {}")
            #expect(
                module.errors
                    == "p.yaml:2:21: plugins: copy.so: has the same module name as \(first) (first): build it "
                    + "with another --name\n"
            )
        }
    }

    /// The source and the store of new packages, in one library.
    private static let components =
        "import ComponentKit\n\nlet plugin = ComponentTypes(sources: [TickSource.type], stores: [DictionaryStore.type])\n\n"
        + PackageKind.source.text + PackageKind.store.text

    @Test func `Events run from a plugin's source to a plugin's store, and every subcommand knows both`() async throws {
        try await withPluginFolder { plugins in
            try await plugins.build("ticks", Self.components)
            let admin = "unix:\(plugins.folder.path)/admin"
            let text = """
                pipeline: ticks
                plugins: ticks.so
                source: { tick: { interval: 1ms } }
                stores: { ticks: { dictionary: { key: number } } }
                stages:
                  - decode: { fields: { number: { type: string, required: true } } }
                  - upsert: { store: ticks }
                admin: { listen: "\(admin)" }

                """
            try Data(text.utf8).write(to: plugins.folder.appendingPathComponent("p.yaml"))
            let process = try SluiceProcess(["run", "p.yaml"], in: plugins.folder)
            defer { process.kill() }
            try await eventually("the third tick is found") {
                try await SluiceProcess(["lookup", "3", "--admin", admin, "--store", "ticks"], in: plugins.folder).end()
                    .output.contains(#""number":"3""#)
            }
            try await process.signal(SIGTERM)
            let ending = try await process.end()
            #expect(ending.status == 0, "\(ending.errors)")
            for (name, kind) in [("tick", "a source"), ("dictionary", "a store")] {
                let page = try await SluiceProcess(["stages", name, "--plugin", "ticks.so"], in: plugins.folder).end()
                #expect(page.output.hasPrefix("\(name): \(kind), written below"), "\(page.output)\(page.errors)")
            }
            let schema = try await SluiceProcess(["schema", "--plugin", "ticks.so"], in: plugins.folder).end()
            #expect(schema.output.contains("\"tick\"") && schema.output.contains("\"dictionary\""))
            try FileManager.default.removeItem(at: plugins.folder.appendingPathComponent("ticks.so"))
            let missing = try await SluiceProcess(["validate", "p.yaml"], in: plugins.folder).end()
            #expect(missing.errors == "p.yaml:2:10: plugins: ticks.so: No such file or directory\n")
        }
    }

    @Test(arguments: [
        ("SourceType", "sources", "source", "redis_stream"), ("StoreType", "stores", "store", "memory"),
    ])
    func `A plugin cannot replace a source or a store of the worker, but can use the name of another kind`(
        type: String, list: String, kind: String, name: String
    ) async throws {
        func source(_ name: String) -> String {
            """
            import ComponentKit
            import StageKit

            let plugin = ComponentTypes(\(list): [
                \(type)(
                    name: "\(name)", summary: "Does nothing.",
                    settings: SettingType<Bool>(shape: .boolean) { _, _ in true }
                ) { _, _ in nil }
            ])

            """
        }
        try await withPluginFolder { plugins in
            try await plugins.build("taken", source(name))
            let taken = try await plugins.validate("taken.so")
            #expect(
                taken.errors
                    == "p.yaml:2:10: plugins: taken.so: the \(kind) type \(name) is already provided by this worker\n")
            try await plugins.build("free", source("decode"))
            let free = try await plugins.validate("free.so")
            #expect(free.status == 0, "\(free.errors)")
        }
    }

    @Test func `A failed build is reported with advice and leaves no library`() async throws {
        try await withPluginFolder { plugins in
            let broken = try await plugins.command("broken", "import StageKit\nlet plugin = [Frob()]\n")
            #expect(broken.status == 1)
            #expect(broken.errors.contains("cannot find 'Frob' in scope"))
            #expect(broken.errors.hasSuffix("sluice: the sources do not compile\n"), "\(broken.errors)")
            let source = PluginFolder.stage(called: "greet")
            let noModules = try await plugins.command("a", source, ["--modules", "/nonexistent"])
            #expect(
                noModules.errors == """
                    sluice: no modules of StageKit and ComponentKit found in /nonexistent: give their directory with --modules

                    """)
            let modules = URL(fileURLWithPath: SluiceProcess.executable).deletingLastPathComponent()
                .appendingPathComponent("Modules")
            let stale = plugins.folder.appendingPathComponent("stale")
            try FileManager.default.createDirectory(at: stale, withIntermediateDirectories: true)
            for name in ["ComponentKit", "StageKit", "TextSupport", "Logging", "CoreMetrics", "JSON"] {
                let data = try Data(contentsOf: modules.appendingPathComponent("\(name).swiftmodule"))
                let zeros = String(repeating: "0", count: KitBuild.fingerprint.count)
                try replacing(KitBuild.fingerprint, by: zeros, in: data).write(
                    to: stale.appendingPathComponent("\(name).swiftmodule"))
            }
            let other = try await plugins.command("a", source, ["--modules", stale.path])
            #expect(other.errors.contains("is from another build than this worker: give its directory with --modules"))
            let compiler = try await plugins.command("a", source, ["--swiftc", "/bin/true"])
            #expect(compiler.errors.contains("/bin/true is no Swift compiler, this worker was built by Swift version"))
            let nothing = try await SluiceProcess(["plugin", "build", stale.path], in: plugins.folder).end()
            #expect(nothing.status == 1)
            #expect(nothing.errors == "sluice: \(stale.path): no Swift sources found\n")
            let files = try FileManager.default.subpathsOfDirectory(atPath: plugins.folder.path)
            #expect(!files.contains { $0.hasSuffix(".so") })
        }
    }
}
