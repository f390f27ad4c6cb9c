import Foundation
import Testing

/// The project's rules that a compiler does not check.
@Suite struct LayoutTests {
    private static let root = ProjectSource.root

    private static func sources(below folders: [String]) throws -> [ProjectSource] {
        try ProjectSource.files(below: folders)
    }

    private static func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: self.root.appendingPathComponent(folder).path)
            .filter { !$0.hasPrefix(".") }.sorted()
    }

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: self.root.appendingPathComponent(path), encoding: .utf8)
    }

    @Test("The top level has only the agreed files and directories")
    func topLevel() throws {
        let allowed: Set = [
            "Package.swift", "Sources", "Plugins", "Tests", "pipeline.yaml", "README.md", "Makefile", "LICENSE",
            "CHANGELOG.md", "Package.resolved", "Benchmarks",
        ]
        let found = try Self.names(in: ".")
        #expect(Set(found).subtracting(allowed) == [])
        #expect(found.contains("pipeline.yaml"))
    }

    @Test(
        "Every directory in Plugins is a stage, a source or a store: in the manifest, in the catalogue, with the same files"
    )
    func plugins() throws {
        let folders = try Self.names(in: "Plugins").filter { $0 != "README.md" }
        let manifest = try Self.text("Package.swift")
        let catalogue = try Self.text("Sources/Worker/Assembly/StandardCatalogue.swift")
        #expect(!folders.isEmpty)
        for folder in folders {
            let added = [
                ("Stage", "add(\(folder).self)"), ("Source", "add(\(folder).sourceType)"),
                ("Store", "add(\(folder).type)"),
            ].first { folder.hasSuffix($0.0) }?.1
            #expect(manifest.contains("\"\(folder)\""), "\(folder) is not in Package.swift")
            #expect(added.map(catalogue.contains) == true, "\(folder) is not in the catalogue")
            #expect(try Self.names(in: "Plugins/\(folder)") == ["README.md", "Sources", "Tests"])
        }
    }

    @Test("The version is declared once; changelog, packages and examples name the same")
    func version() throws {
        let declarations = try Self.sources(below: ["Sources"]).flatMap { source in
            source.lines.filter { $0.has("static let text = \"") }.map { (source.path, $0) }
        }
        let declared = declarations.filter { $0.0.hasSuffix("/ProgramVersion.swift") }
        #expect(declarations.count == 1 && declared.count == 1, "\(declarations)")
        let version = try #require(declared.first?.1.split(separator: "\"").dropFirst().first).description
        let headings = try Self.text("CHANGELOG.md").split(separator: "\n").filter { $0.hasPrefix("## ") }
        let newest = headings.first { $0.dropFirst(3).first?.isNumber == true }
        #expect(newest?.dropFirst(3).split(separator: " ").first.map(String.init) == version)
        for (path, name) in [
            ("Sources/Packaging/README.md", "sluice_\(version)_amd64.deb"),
            ("Sources/Packaging/kubernetes/deployment.yaml", "/sluice:\(version)-static"),
            ("Sources/Packaging/kubernetes/statefulset.yaml", "/sluice:\(version)-static"),
        ] {
            #expect(try Self.text(path).contains(name), "\(path) does not name \(name)")
        }
        for script in ["dist", "image"] {
            let text = try Self.text("Sources/Packaging/\(script)")
            #expect(text.contains("--version") && !text.contains(version), "\(script) has a version of its own")
        }
    }

    @Test("The tests of every stage, source and store check its contract", arguments: ["Stage", "Source", "Store"])
    func conformance(kind: String) throws {
        let folders = try Self.names(in: "Plugins").filter { $0.hasSuffix(kind) }
        #expect(!folders.isEmpty)
        for folder in folders {
            let sources = try Self.sources(below: ["Plugins/\(folder)/Tests"])
            let holds = sources.contains { $0.text.has("\(kind)Conformance.check(") }
            #expect(holds, "\(folder) has no test with \(kind)Conformance")
        }
    }

    @Test("Only one module uses each C library, and a plugin imports only StageKit and independent modules")
    func imports() throws {
        let ours = try Set(Self.names(in: "Sources"))
        for source in try Self.sources(below: ["Sources", "Plugins"]) {
            let imports = source.lines.compactMap { line -> String? in
                guard line.has("import ") else { return nil }
                let words = line.split(separator: " ")
                guard let index = words.firstIndex(of: "import"), index <= 1, words.count > index + 1 else {
                    return nil
                }
                return String(words[index + 1])
            }
            if ["Sources/JSON/", "Sources/TextSupport/"].contains(where: source.path.hasPrefix) {
                #expect(imports == [], "\(source.path)")
            }
            if source.path.hasPrefix("Sources/CEL/") { #expect(Set(imports).isSubset(of: ["Glibc"]), "\(source.path)") }
            if imports.contains("CEpoll") { #expect(source.path.hasPrefix("Sources/Sockets/")) }
            if imports.contains("CHiredis") { #expect(source.path.hasPrefix("Sources/RESP/")) }
            if imports.contains("CLibYAML") { #expect(source.path.hasPrefix("Sources/YAML/")) }
            // Streams use the connections of RedisClient, and none of their own.
            if source.path.hasPrefix("Sources/RedisStreams/") {
                #expect(!imports.contains { $0.hasPrefix("NIO") }, "\(source.path)")
            }
            if imports.contains("CSQLite") { #expect(source.path.hasPrefix("Plugins/SQLiteStore/Sources/")) }
            guard source.path.hasPrefix("Plugins/") else { continue }
            let own = String(source.path.split(separator: "/")[1])
            var allowed: Set = ["StageKit", "FieldRules", "JSON", "LocalFiles", "CSQLite", own]
            if !own.hasSuffix("Stage") { allowed.insert("ComponentKit") }
            if source.path.contains("/Tests/") { allowed.insert("StageTestKit") }
            let others = Set(imports).intersection(ours.union(try Self.names(in: "Plugins"))).subtracting(allowed)
            #expect(others == [], "\(source.path)")
        }
    }

    @Test("Every unsafe or unchecked construct has a written reason")
    func escapeHatches() throws {
        let words = ["try!", "fatalError(", "@unchecked Sendable", "nonisolated(unsafe)", "print("]
        for source in try Self.sources(below: ["Sources", "Plugins"]) {
            for (index, line) in source.lines.enumerated() {
                guard let word = words.first(where: line.has), !Self.isComment(line) else { continue }
                let above = source.lines[max(0, index - 4)..<index]
                #expect(above.contains { Self.isComment($0) }, "\(source.path):\(index + 1): \(word) without a reason")
            }
        }
    }

    private static func isComment(_ line: String) -> Bool {
        line.trimmingCharacters(in: .whitespaces).hasPrefix("//")
    }

    @Test("No file is longer than 500 lines")
    func fileLength() throws {
        for source in try Self.sources(below: ["Sources", "Plugins", "Tests"]) {
            #expect(source.lines.count <= 500, "\(source.path) has \(source.lines.count) lines")
        }
    }

    @Test("Functions in the product are under 70 lines")
    func functionLength() throws {
        for source in try Self.sources(below: ["Sources", "Plugins"]) {
            for (start, length) in Self.functions(in: source.lines) {
                #expect(length <= 70, "\(source.path):\(start) has a function of \(length) lines")
            }
        }
    }

    /// Functions by the line they begin on, with their length: from `func` or `init` to the brace at the same indentation.
    private static func functions(in lines: [String]) -> [(start: Int, length: Int)] {
        var found: [(Int, Int)] = []
        for (index, line) in lines.enumerated() {
            guard line.has("func ") || line.has("init(") else { continue }
            let words = line.split(separator: " ")
            guard words.contains("func") || words.contains(where: { $0.hasPrefix("init(") }), !Self.isComment(line)
            else { continue }
            // A requirement of a protocol has no body: a blank line or its brace comes before any that opens one.
            let rest = lines[index...].first { $0.hasSuffix("{") || $0.hasSuffix("}") || $0.isEmpty }
            guard rest?.isEmpty == false, rest?.hasSuffix("}") == false else { continue }
            let indent = String(line.prefix { $0 == " " })
            if let end = lines[index...].firstIndex(of: indent + "}") { found.append((index + 1, end - index + 1)) }
        }
        return found
    }
}
