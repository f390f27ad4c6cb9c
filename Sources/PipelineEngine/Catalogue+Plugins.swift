import ComponentKit
public import StageKit

extension Catalogue {
    /// The top-level list of shared libraries in the file: paths, relative ones from the file's own directory.
    public static let pluginsType = SettingType<[LocatedName]>.list(of: .name, orSingle: true)
    /// The name of that list.
    static let pluginsKey = "plugins"

    /// Adds the types of a shared library; adding the same library again changes nothing.
    ///
    /// - Throws: The problem with the library, or with one of its names, which must be new. Nothing has been added
    ///   then.
    public mutating func addPlugin(_ path: String) throws(SettingRefusal) {
        guard let loadPlugin = self.loadPlugin else {
            throw SettingRefusal("\(path): this program does not load plugins")
        }
        let plugin = try loadPlugin(path)
        guard !self.plugins.contains(where: { $0.path == plugin.path }) else { return }
        let known = Set(self.types.names)
        var names: Set<ComponentName> = []
        for type in plugin.types.names {
            if !names.insert(type).inserted {
                throw SettingRefusal("\(path): contains two \(type.kind.rawValue) types named \(type.name)")
            }
            guard known.contains(type) else { continue }
            let other = self.plugins.first { $0.types.names.contains(type) }
            let owner = other.map { "the plugin \($0.path)" } ?? "this worker"
            throw SettingRefusal("\(path): the \(type.kind.rawValue) type \(type.name) is already provided by \(owner)")
        }
        if names.isEmpty { throw SettingRefusal("\(path): contains no stage, source or store types") }
        self.append(plugin)
    }

    /// Returns this catalogue with the plugins that a file names; a problem with one is reported at its position in the
    /// file.
    ///
    /// - Parameter file: The file's path: relative paths in it start in its directory.
    func withPlugins(of root: SettingNode, file: String, _ issues: inout SettingIssues) -> Catalogue {
        guard let node = root[Self.pluginsKey] else { return self }
        var catalogue = self
        let paths = issues.within(Self.pluginsKey) { Self.pluginsType.decode(node, &$0) }
        if paths == nil { catalogue.isIncomplete = true }
        let folder = file.lastIndex(of: "/").map { file[...$0] } ?? ""
        for name in paths ?? [] {
            do throws(SettingRefusal) {
                try catalogue.addPlugin(name.text.hasPrefix("/") ? name.text : folder + name.text)
            } catch {
                catalogue.isIncomplete = true
                issues.within(Self.pluginsKey) { $0.add(error.message, at: name.position) }
            }
        }
        return catalogue
    }
}
