import Foundation
import Testing
import Worker

@testable import Commands

@Suite struct WorkerPackageTests {
    @Test(arguments: [
        ("my-worker", "MyWorker", "my_worker"), ("a", "A", "a"), ("x9_y-Z", "X9YZ", "x9_y_z"),
    ])
    func `A name gives the names of module and pipeline`(text: String, module: String, pipeline: String) throws {
        let name = try WorkerName(text)
        #expect(PackageKind.allCases.map { name.module($0) } == ["Stages", "Sources", "Stores"].map { module + $0 })
        #expect(name.pipeline == pipeline)
    }

    @Test(arguments: [
        ("", "is not a valid name"), ("9a", "is not a valid name"), ("-a", "is not a valid name"),
        ("a-", "is not a valid name"), ("a b", "is not a valid name"),
        ("a/b", "is not a valid name"), ("ä", "is not a valid name"), ("a\"b", "is not a valid name"),
        ("sluice", "is reserved"),
        ("Worker", "is reserved"), (String(repeating: "a", count: 51), "the maximum is 50"),
    ])
    func `An invalid name is refused with the expected form`(text: String, message: String) {
        let error = #expect(throws: InitFailure.self) { try WorkerName(text) }
        #expect(error?.description.contains(message) == true)
    }

    private static let executable = URL(fileURLWithPath: "/nonexistent/bin/sluice")

    @Test func `Sluice comes from a URL with a version, or from a folder that holds it`() throws {
        let url = try SluiceDependency(
            "https://example.org/a/sluice.git", version: "0.1.0", executable: Self.executable)
        #expect(url == .url("https://example.org/a/sluice.git", version: "0.1.0"))
        #expect(url.package == "sluice")
        #expect(url.manifestText == ".package(url: \"https://example.org/a/sluice.git\", from: \"0.1.0\")")
        let ssh = try SluiceDependency("git@example.org:streams.git", version: "0.1.0", executable: Self.executable)
        #expect(ssh.package == "streams")
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().standardizedFileURL
        let path = try SluiceDependency(root.path, version: "0.1.0", executable: Self.executable)
        #expect(path == .path(root.path))
        #expect(path.package == root.lastPathComponent)
        // Without a word, the checkout that the executable was built in.
        let built = root.appendingPathComponent(".build/debug/sluice")
        #expect(try SluiceDependency(nil, version: "0.1.0", executable: built) == path)
    }

    @Test func `Without a place that holds Sluice there is no package`() {
        for given in [nil, "/nonexistent", "https://a b\""] {
            #expect(throws: InitFailure.self) {
                try SluiceDependency(given, version: "0.1.0", executable: Self.executable)
            }
        }
    }

    @Test(arguments: PackageKind.allCases)
    func `A package of each kind names its type in the worker, the tests and the pipeline`(kind: PackageKind) throws {
        let package = WorkerPackage(name: try WorkerName("my-worker"), kind: kind, sluice: .path("/opt/sluice"))
        let files = Dictionary(uniqueKeysWithValues: package.files.map { ($0.path, $0.text) })
        let module = package.name.module(kind)
        #expect(files["Sources/my-worker/Main.swift"]?.contains("main(adding: \(kind.added))") == true)
        #expect(files["Sources/my-worker/Main.swift"]?.contains("import \(module)\n") == true)
        #expect(files["Sources/\(module)/\(kind.type).swift"]?.contains("class \(kind.type):") == true)
        #expect(files["Tests/\(module)Tests/\(kind.type)Tests.swift"]?.contains("\(kind.conformance).check(") == true)
        for kit in kind.kits {
            #expect(files["Package.swift"]?.contains(".product(name: \"\(kit)\", package: \"sluice\")") == true)
        }
    }

    @Test func `A folder that is there is left as it is`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("init-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let package = WorkerPackage(name: try WorkerName("my-worker"), sluice: .path("/opt/sluice"))
        try package.write(to: folder)
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        #expect(package.files.allSatisfy { files.contains($0.path) })
        try Data("mine".utf8).write(to: folder.appendingPathComponent("pipeline.yaml"))
        #expect(throws: InitFailure.self) { try package.write(to: folder) }
        #expect(try String(contentsOf: folder.appendingPathComponent("pipeline.yaml"), encoding: .utf8) == "mine")
    }
}
