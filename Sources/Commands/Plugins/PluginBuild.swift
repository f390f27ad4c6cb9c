import ComponentKit
import Foundation
import PluginLoading

/// Builds a shared library of stage, source and store types from a directory of Swift sources.
///
/// The sources are compiled against the modules of this worker's build. StageKit, ComponentKit and Swift's runtime
/// are not linked into the library: it uses those of the worker, so that types and errors are the same on both sides.
struct PluginBuild {
    /// The library was not built.
    struct Failure: Error, CustomStringConvertible {
        /// The problem and its remedy.
        var description: String
    }

    /// The modules that a plugin is compiled against, in addition to those of the toolchain: ComponentKit, StageKit
    /// and their imports.
    static let moduleNames = ["ComponentKit", "StageKit", "TextSupport", "Logging", "CoreMetrics", "JSON"]

    /// The sources.
    let sources: PluginSources
    /// The name of the Swift module.
    let module: String
    /// The directory of the worker's modules.
    let modules: URL
    /// The compiler and the linker.
    let toolchain: PluginToolchain
    /// The path of the library.
    let output: URL

    /// Compiles and links; the library appears at its path only when it is complete.
    func run() throws {
        let files = FileManager.default
        let work = files.temporaryDirectory.appendingPathComponent("sluice-plugin-\(UUID().uuidString)")
        try files.createDirectory(at: work, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { try? files.removeItem(at: work) }
        let entry = work.appendingPathComponent("SluicePluginEntry.swift")
        let stamp = work.appendingPathComponent("stamp.s")
        let objects = ["plugin.o", "stamp.o"].map { work.appendingPathComponent($0).path }
        let library = work.appendingPathComponent("plugin.so")
        try Data(Self.entryText.utf8).write(to: entry)
        try Data(self.stampText.utf8).write(to: stamp)
        try self.toolchain.compile(
            self.sources.files + [entry], module: self.module, modules: self.modules, output: objects[0])
        try self.toolchain.assemble(stamp, output: objects[1])
        try self.toolchain.link(objects, output: library)
        // A worker refuses a group-writable library, so the permissions must not depend on the umask.
        try files.setAttributes([.posixPermissions: 0o755], ofItemAtPath: library.path)
        let fresh = self.output.appendingPathExtension("new")
        try? files.removeItem(at: fresh)
        try files.copyItem(at: library, to: fresh)
        guard unsafe rename(fresh.path, self.output.path) == 0 else {
            throw Failure(description: "cannot write \(self.output.path)")
        }
    }

    /// The function that a worker calls, compiled into the plugin's own module.
    static let entryText = """
        import ComponentKit
        import StageKit

        @c(sluice_plugin_types)
        public func sluicePluginTypes() -> UnsafeMutableRawPointer {
            // If `plugin` is not found, a file of the directory must declare it: let plugin = [StageType(MyStage.self)],
            // or let plugin = ComponentTypes(sources: [MySource.type], stores: [MyStore.type])
            PluginHandover.handOver(plugin)
        }

        """

    /// The note that a worker reads before it loads the library, in assembly language.
    private var stampText: String {
        let stamp = PluginStamp(
            module: self.module, kits: KitBuild.fingerprint, compiler: KitBuild.compiler)
        let bytes = stamp.text.utf8.map { "\($0)" }.joined(separator: ", ")
        return """
                .section .note.sluice, "a", %note
                .p2align 2
                .long 2f - 1f
                .long 4f - 3f
                .long \(PluginStamp.noteType)
            1:  .asciz "\(PluginStamp.noteOwner)"
            2:  .p2align 2
            3:  .byte \(bytes)
            4:  .p2align 2
                .section .note.GNU-stack, "", %progbits

            """
    }

    /// Returns the directory of the worker's modules: the given one, or the one next to the executable.
    ///
    /// - Throws: `Failure` if there is none, or if it belongs to another build.
    static func findModules(_ given: String?, executable: URL) throws -> URL {
        let folder = executable.deletingLastPathComponent()
        let places =
            given.map { [URL(fileURLWithPath: $0)] } ?? [
                folder.appendingPathComponent("Modules"), folder.appendingPathComponent("../lib/sluice/modules"),
            ]
        func file(_ place: URL, _ module: String) -> URL { place.appendingPathComponent("\(module).swiftmodule") }
        let found = places.first { place in
            Self.moduleNames.allSatisfy { FileManager.default.fileExists(atPath: file(place, $0).path) }
        }
        guard let found else {
            throw Failure(
                description: """
                    no modules of StageKit and ComponentKit found in \(places.map(\.path).joined(separator: ", nor in ")): give their \
                    directory with --modules
                    """)
        }
        let type = Data("KitBuild_\(KitBuild.fingerprint)".utf8)
        guard try Data(contentsOf: file(found, "ComponentKit")).range(of: type) != nil else {
            throw Failure(
                description: "\(found.path) is from another build than this worker: give its directory with --modules")
        }
        return found
    }
}

/// The sources of a plugin.
struct PluginSources {
    /// The maximum number of files, far more than a few types need.
    static let fileLimit = 1000

    /// The files, sorted by path.
    let files: [URL]
    /// The directory of the files; its name is the default module name.
    let folder: URL

    /// Finds the sources: those of the only target below `Sources`, or those in the directory itself.
    init(in folder: URL) throws {
        let below = folder.appendingPathComponent("Sources")
        let targets = Self.entries(of: below).filter { Self.isDirectory($0) }
        if targets.count > 1 {
            let names = targets.map(\.lastPathComponent).joined(separator: ", ")
            throw PluginBuild.Failure(
                description: "\(below.path) has several targets (\(names)): give the directory of one")
        }
        let isPackage = Self.isDirectory(below)
        self.folder = targets.first ?? folder
        self.files = Self.swiftFiles(in: targets.first ?? (isPackage ? below : folder))
        if self.files.isEmpty {
            throw PluginBuild.Failure(description: "\(folder.path): no Swift sources found")
        }
        if self.files.count > Self.fileLimit {
            throw PluginBuild.Failure(
                description: "\(folder.path): too many sources for a plugin: the maximum is \(Self.fileLimit)")
        }
    }

    /// The module's name: the directory's name, with `_` for characters that are not allowed.
    var moduleName: String {
        let name = self.folder.standardizedFileURL.lastPathComponent
        let plain = name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
        return plain.first?.isNumber == true ? "_" + String(plain) : String(plain)
    }

    private static func entries(of folder: URL) -> [URL] {
        let found = try? FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil, options: .skipsHiddenFiles)
        return (found ?? []).sorted { $0.path < $1.path }
    }

    private static func isDirectory(_ url: URL) -> Bool {
        var isDirectory = false
        return FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory) && isDirectory
    }

    private static func swiftFiles(in folder: URL) -> [URL] {
        self.entries(of: folder).flatMap { entry in
            if self.isDirectory(entry) {
                return ["Tests", "Plugins"].contains(entry.lastPathComponent) ? [] : self.swiftFiles(in: entry)
            }
            return entry.pathExtension == "swift" && entry.lastPathComponent != "Package.swift" ? [entry] : []
        }
    }
}
