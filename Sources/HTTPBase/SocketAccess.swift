public import StageKit

/// Which local users may connect to a Unix socket: the permissions and the group of its file.
public struct SocketAccess: Sendable, Equatable {
    /// The permissions: by default, only the worker's own user may connect.
    public var mode: UInt32
    /// The name or the number of the group, or `nil` for the worker's own.
    public var group: String?

    /// Creates the access of these users.
    public init(mode: UInt32 = 0o600, group: String? = nil) {
        self.mode = mode
        self.group = group
    }

    /// The setting type of a mode: three octal digits, with or without a leading zero.
    ///
    /// The owner must be able to connect, and `x` has no meaning for a socket.
    public static let modeType = SettingType<UInt32>(
        shape: .form("octal permissions such as 0660", pattern: "^0?6[0246][0246]$")
    ) { node, issues in
        SettingType<String>.text.map { (text) throws(SettingRefusal) in
            let digits = text.utf8.count == 4 && text.hasPrefix("0") ? text.dropFirst() : text[...]
            let isMode = digits.utf8.count == 3 && digits.utf8.allSatisfy { "0246".utf8.contains($0) }
            guard isMode, digits.hasPrefix("6"), let mode = UInt32(digits, radix: 8) else {
                throw SettingRefusal(
                    "expected octal permissions from 0600 to 0666 without x, such as 0660, found \"\(text)\"")
            }
            return mode
        }.decode(node, &issues)
    }

    /// The settings `mode` and `group` of a section whose value has this access.
    public static func fields<Settings>(
        _ mode: any WritableKeyPath<Settings, UInt32?> & Sendable,
        _ group: any WritableKeyPath<Settings, LocatedName?> & Sendable
    ) -> [SettingField<Settings>] {
        [
            .optional(
                "mode", mode, .optional(self.modeType), default: "0600",
                "Permissions of a Unix socket, octal: 0660 lets its group connect."),
            .optional(
                "group", group, .optional(.name), default: "the worker's group",
                "Group of a Unix socket, of which the worker's user is a member."),
        ]
    }
}
