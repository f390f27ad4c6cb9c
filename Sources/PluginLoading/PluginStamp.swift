/// The stamp that `sluice plugin build` writes into a plugin, and that a worker reads before it loads one.
///
/// It is an ELF note (owner `Sluice`, type 1) with UTF-8 lines `name=value`.
public struct PluginStamp: Sendable, Equatable {
    /// The version of the entry function and of its result; incremented when either changes.
    public static let currentEntryVersion = 2
    /// The note's owner.
    public static let noteOwner = "Sluice"
    /// The note's type.
    public static let noteType: UInt32 = 1
    /// The longest stamp in bytes: a real one has about 200.
    static let lengthLimit = 4096

    /// The version of the plugin's entry function.
    public var entryVersion: Int
    /// The name of its Swift module.
    public var module: String
    /// The fingerprint of the StageKit and the ComponentKit that it was compiled against.
    public var kits: String
    /// The version of the compiler that built it, as the compiler reports it.
    public var compiler: String

    /// Creates a stamp.
    public init(
        entryVersion: Int = PluginStamp.currentEntryVersion, module: String, kits: String, compiler: String
    ) {
        self.entryVersion = entryVersion
        self.module = module
        self.kits = kits
        self.compiler = compiler
    }

    /// Reads a stamp's text, also that of entry version 1, which had `stagekit` in place of `kits`; returns `nil` if it is too long, is not UTF-8 or lacks a line.
    public init?(text: some Collection<UInt8>) {
        guard text.count <= Self.lengthLimit, let text = String(validating: text, as: UTF8.self) else { return nil }
        var values: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        guard let entry = values["entry"].flatMap({ Int($0) }), let module = values["module"],
            let kits = values["kits"] ?? values["stagekit"], let compiler = values["compiler"]
        else { return nil }
        self.init(
            entryVersion: entry, module: String(module), kits: String(kits), compiler: String(compiler))
    }

    /// The lines of the note.
    public var text: String {
        """
        entry=\(self.entryVersion)
        module=\(self.module)
        kits=\(self.kits)
        compiler=\(self.compiler)

        """
    }
}
