import StageKit

/// The settings of a store's shared file.
public struct ShareSettings: Sendable {
    /// The path of the file.
    public var path: String
    /// The fields that the file contains besides the key.
    public var fields: [String]
    /// The names of the fields that the settings list, with their positions in the pipeline file.
    var listed: [LocatedName]
    /// The permissions of the file.
    public var mode: Int
    /// The group of the file by name or number, or `nil` for the worker's.
    public var group: String?

    /// The default permissions: the worker writes, its group reads.
    public static let defaultMode = 0o640

    /// Creates settings.
    public init(path: String, fields: [String], mode: Int = ShareSettings.defaultMode, group: String? = nil) {
        self.path = path
        self.fields = fields
        self.listed = fields.map { LocatedName($0, at: LocatedName.unread.position) }
        self.mode = mode
        self.group = group
    }

    /// The same settings with one more field, unless it is `nil` or in the list.
    func including(_ field: String?) -> ShareSettings {
        guard let field, !self.fields.contains(field) else { return self }
        var settings = self
        settings.fields.append(field)
        return settings
    }

    /// The schema of the settings.
    static let type = SettingType.object(
        SettingsSchema(
            ShareSettings(path: "", fields: []),
            [
                .required(
                    "path", \.path, .sharedPath,
                    "The absolute path of the file, on a tmpfs such as /dev/shm. Its directory must be writable only"
                        + " by the worker."),
                .required(
                    "fields", \.listed, .list(of: .name),
                    "The fields of snapshots that other processes can read; all others stay in this process."),
                .optional(
                    "mode", \.mode, .sharedMode, default: "0640",
                    "Permissions of the file, in octal: readers need read permission."),
                .optional(
                    "group", \.group, .optional(.nonBlankText),
                    "The group of the file, by name or number; the worker's own group if it is not set."),
            ])
    ).map { (settings) throws(SettingRefusal) in
        var settings = settings
        settings.fields = settings.listed.map(\.text)
        guard Set(settings.fields).count == settings.fields.count else {
            throw SettingRefusal("a field is listed twice")
        }
        return settings
    }
}

extension SettingType where Value == String {
    /// An absolute path.
    fileprivate static var sharedPath: SettingType<String> {
        SettingType<String>.nonBlankText.map { (path) throws(SettingRefusal) in
            guard path.hasPrefix("/"), !path.hasSuffix("/"), !path.utf8.contains(0) else {
                throw SettingRefusal("expected an absolute path of a file, found \"\(path)\"")
            }
            return path
        }
    }
}

extension SettingType where Value == Int {
    /// The permissions of a file that only its owner may write.
    fileprivate static var sharedMode: SettingType<Int> {
        let type = SettingType<String>.text.map { (text) throws(SettingRefusal) in
            guard (3...4).contains(text.utf8.count), let mode = Int(text, radix: 8),
                [0o600, 0o640, 0o644, 0o604].contains(mode)
            else {
                throw SettingRefusal(
                    "expected 0600, 0640, 0644 or 0604, so that only the worker can write, found \"\(text)\"")
            }
            return mode
        }
        return SettingType(
            shape: .form("octal permissions such as 0640", pattern: "^0?6[04][04]$"), decode: type.decode)
    }
}
