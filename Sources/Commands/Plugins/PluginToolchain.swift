import ComponentKit
import Foundation

/// The Swift toolchain that builds plugins: the same release that built the worker.
struct PluginToolchain {
    /// The output of `swiftc -print-target-info`.
    private struct TargetInfo: Decodable {
        struct Target: Decodable { var triple: String }
        struct Paths: Decodable { var runtimeResourcePath: String }
        var target: Target
        var paths: Paths
    }

    private let swiftc: URL
    private let clang: URL
    private let info: TargetInfo

    /// Inspects a compiler; throws if it is not the one that built this worker.
    ///
    /// - Parameter path: The compiler, or `nil` for the one in PATH.
    init(swiftc path: String?, environment: [String: String]) throws {
        guard let swiftc = path.map({ URL(fileURLWithPath: $0) }) ?? Self.find("swiftc", environment) else {
            throw PluginBuild.Failure(
                description: "no swiftc in PATH: install \(KitBuild.compiler), or give one with --swiftc")
        }
        let version = try Self.output(swiftc, ["--version"]).split(separator: "\n")
            .compactMap { line in line.range(of: "Swift version ").map { String(line[$0.lowerBound...]) } }.first
        guard version == KitBuild.compiler else {
            throw PluginBuild.Failure(
                description: """
                    \(swiftc.path) is \(version ?? "no Swift compiler"), this worker was built by \
                    \(KitBuild.compiler): give that one with --swiftc
                    """)
        }
        let beside = swiftc.resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent("clang")
        let isThere = FileManager.default.isExecutableFile(atPath: beside.path)
        guard let clang = isThere ? beside : Self.find("clang", environment) else {
            throw PluginBuild.Failure(description: "no clang next to \(swiftc.path), nor in PATH")
        }
        self.swiftc = swiftc
        self.clang = clang
        self.info = try JSONDecoder().decode(
            TargetInfo.self, from: Data(Self.output(swiftc, ["-print-target-info"]).utf8))
    }

    /// Compiles sources as one module.
    func compile(_ sources: [URL], module: String, modules: URL, output: String) throws {
        let arguments = [
            "-emit-object", "-parse-as-library", "-whole-module-optimization", "-O", "-g", "-swift-version", "6",
            "-module-name", module, "-I", modules.path, "-o", output,
        ]
        try self.run(self.swiftc, arguments + sources.map(\.path), what: "the sources do not compile")
    }

    /// Assembles a file.
    func assemble(_ source: URL, output: String) throws {
        try self.run(self.clang, ["-c", source.path, "-o", output], what: "cannot assemble the stamp")
    }

    /// Links objects to a shared library that uses the StageKit and the Swift runtime of the loading process.
    ///
    /// `swiftrt.o` registers the library's types with the runtime when it is loaded.
    func link(_ objects: [String], output: URL) throws {
        let machine = self.info.target.triple.prefix { $0 != "-" }
        let runtime = "\(self.info.paths.runtimeResourcePath)/linux/\(machine)/swiftrt.o"
        let arguments = ["-shared", "-Wl,-z,now", "-Wl,-z,relro", "-o", output.path] + objects + [runtime]
        try self.run(self.clang, arguments, what: "cannot link the library")
    }

    private func run(_ program: URL, _ arguments: [String], what: String) throws {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        // The compiler's output is diagnostic, so it goes to standard error.
        process.standardOutput = FileHandle.standardError
        try process.run()
        process.waitUntilExit()
        if process.terminationStatus != 0 { throw PluginBuild.Failure(description: what) }
    }

    private static func output(_ program: URL, _ arguments: [String]) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = program
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw PluginBuild.Failure(description: "cannot run \(program.path)")
        }
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }

    private static func find(_ name: String, _ environment: [String: String]) -> URL? {
        (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map { URL(fileURLWithPath: "\($0)/\(name)") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }
}
