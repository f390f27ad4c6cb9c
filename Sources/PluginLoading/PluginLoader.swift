public import ComponentKit
public import StageKit
import Synchronization

/// Loads stage, source and store types from shared libraries, each file once in the lifetime of the process.
///
/// All problems with a file are found before any of its code runs.
public final class PluginLoader: Sendable {
    /// The properties that a worker and a plugin must share.
    struct Fit: Sendable {
        /// The fingerprint of the worker's StageKit and ComponentKit.
        var kits: String
        /// The version of the compiler that built the worker.
        var compiler: String

        /// The properties of this process.
        static let own = Fit(kits: KitBuild.fingerprint, compiler: KitBuild.compiler)

        /// Why a plugin does not fit, with the remedy, or `nil` if it does.
        func problem(_ stamp: PluginStamp) -> String? {
            let again = "rebuild it with this worker (sluice plugin build DIR)"
            if stamp.entryVersion != PluginStamp.currentEntryVersion {
                return "was built for another version of Sluice: \(again)"
            }
            if stamp.compiler != self.compiler {
                return "was built by \(stamp.compiler), this worker by \(self.compiler): \(again)"
            }
            if stamp.kits != self.kits {
                return
                    "was built against another build of Sluice (\(stamp.kits), this worker has \(self.kits)): \(again)"
            }
            return nil
        }
    }

    private struct Loaded {
        var plugin: Plugin
        var module: String
        var identity: FileIdentity
    }

    private let loaded = Mutex<[Loaded]>([])

    /// Creates a loader that has loaded nothing.
    public init() {}

    /// Loads the types of a file, or returns those already loaded from it.
    ///
    /// Thread-safe.
    ///
    /// - Throws: The problem with the file and its remedy, after its path as given.
    public func load(_ path: String) throws(SettingRefusal) -> Plugin {
        do throws(PluginSystem.Failure) {
            return try self.loadChecked(path)
        } catch {
            throw SettingRefusal("\(path): \(error.message)")
        }
    }

    private func loadChecked(_ path: String) throws(PluginSystem.Failure) -> Plugin {
        let file = try PluginSystem.canonicalPath(path)
        let identity = try Self.checkTrust(of: file)
        return try self.loaded.withLock { (loaded) throws(PluginSystem.Failure) in
            if let known = loaded.first(where: { $0.plugin.path == file }) {
                if known.identity == identity { return known.plugin }
                throw .init(message: "has changed since it was loaded: restart the worker to use the new one")
            }
            let stamp = try Self.stamp(of: file)
            if let problem = Fit.own.problem(stamp) { throw .init(message: problem) }
            if let other = loaded.first(where: { $0.module == stamp.module }) {
                throw .init(
                    message:
                        "has the same module name as \(other.plugin.path) (\(stamp.module)): build it with another "
                        + "--name"
                )
            }
            let types: ComponentTypes
            do throws(PluginSystem.Failure) {
                types = try PluginSystem.load(file)
            } catch {
                throw .init(message: Self.explain(error.message))
            }
            let plugin = Plugin(path: file, types: types)
            loaded.append(Loaded(plugin: plugin, module: stamp.module, identity: identity))
            return plugin
        }
    }

    /// Checks every directory from the root to the file, and the file.
    private static func checkTrust(of file: String) throws(PluginSystem.Failure) -> FileIdentity {
        var path = ""
        var (last, identity) = try PluginSystem.entry("/")
        var chain = [last]
        for part in file.split(separator: "/") {
            path += "/\(part)"
            (last, identity) = try PluginSystem.entry(path)
            chain.append(last)
        }
        if let problem = PluginTrust.problem(chain, user: PluginSystem.user) { throw .init(message: problem) }
        return identity
    }

    private static func stamp(of file: String) throws(PluginSystem.Failure) -> PluginStamp {
        let bytes = try PluginSystem.read(file)
        do throws(PluginImage.Problem) {
            return try PluginImage(bytes).stamp
        } catch {
            throw .init(message: error.message)
        }
    }

    /// Returns the dynamic loader's message with a remedy.
    static func explain(_ message: String) -> String {
        guard let symbol = message.split(separator: "undefined symbol: ", maxSplits: 1).dropFirst().first else {
            return "cannot be loaded: \(message)"
        }
        for kit in ["StageKit", "TextSupport", "ComponentKit"] where symbol.hasPrefix("$s\(kit.utf8.count)\(kit)") {
            return "this program does not export \(kit): link it with -Xlinker --export-dynamic (\(message))"
        }
        if symbol.hasPrefix("swift_") || symbol.hasPrefix("_swift_") || symbol.hasPrefix("$sS") {
            return """
                needs the shared libraries of the Swift runtime, which this worker does not use: \
                link it without -static-stdlib (\(message))
                """
        }
        return """
            uses a symbol that this worker does not have; a plugin can use StageKit, ComponentKit, Logging, CoreMetrics \
            and the Swift libraries that the worker itself uses (\(message))
            """
    }
}

extension PluginImage.Problem {
    /// The problem and its remedy.
    var message: String {
        switch self {
        case .notELF: "is not a shared library (not an ELF file)"
        case .otherLayout: "is a shared library for another architecture (not 64-bit little-endian)"
        case .otherMachine(let number):
            "is a shared library for another architecture (\(Self.name(number)); this machine is \(Self.ownName))"
        case .notShared: "is an ELF file, but not a shared library"
        case .damaged: "is damaged: its ELF header does not match the file"
        case .noStamp: "is not a Sluice plugin: build it with sluice plugin build DIR"
        }
    }

    private static var ownName: String { PluginImage.Machine.current.map { "\($0)" } ?? "unknown" }

    private static func name(_ number: UInt16) -> String {
        PluginImage.Machine(rawValue: number).map { "\($0)" } ?? "ELF machine \(number)"
    }
}
