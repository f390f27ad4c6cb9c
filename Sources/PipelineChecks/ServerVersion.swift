import RESP

/// A server's version, which tells a command that the server is too old for from one that is renamed or disabled. Pure.
struct ServerVersion: Comparable, CustomStringConvertible {
    /// The first two numbers of the version.
    let major: Int
    let minor: Int

    /// Creates a version from its first two numbers.
    init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads the version from the reply to INFO, or returns `nil` if it is not there. Valkey reports the version of
    /// Redis that it is compatible with.
    init?(_ information: RESPValue?) {
        let lines = information?.string?.split(whereSeparator: \.isNewline) ?? []
        guard let line = lines.first(where: { $0.hasPrefix("redis_version:") }) else { return nil }
        let parts = line.dropFirst("redis_version:".count).split(separator: ".").map { Int($0) }
        guard parts.count >= 2, let major = parts[0], let minor = parts[1] else { return nil }
        self.init(major, minor)
    }

    /// The version as text: `7.0`.
    var description: String { "\(self.major).\(self.minor)" }

    /// Orders versions by age.
    static func < (left: ServerVersion, right: ServerVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    /// Returns the version that added a command (source: Redis command reference, "Available since").
    ///
    /// - Parameter command: The name in lower case, with the subcommand after `|` if it has one.
    static func adding(_ command: String) -> ServerVersion {
        switch command {
        case "xautoclaim": ServerVersion(6, 2)
        case "client|id", "client|unblock": ServerVersion(5, 0)
        case "unlink": ServerVersion(4, 0)
        case "eval_ro": ServerVersion(7, 0)
        case let name where name.hasPrefix("x"): ServerVersion(5, 0)
        default: ServerVersion(2, 8)
        }
    }
}

/// The reason why a server does not have a command. Pure.
enum MissingCommand: Equatable {
    /// The server is older than the version that added the command.
    case tooOld(server: ServerVersion, needed: ServerVersion)
    /// The server is new enough, so the command is renamed or disabled.
    case disabled
    /// The server's version is unknown.
    case unknown

    /// Finds the reason for a command, such as `xinfo|stream`.
    init(_ command: String, on server: ServerVersion?) {
        guard let server else {
            self = .unknown
            return
        }
        let needed = ServerVersion.adding(command)
        self = server < needed ? .tooOld(server: server, needed: needed) : .disabled
    }

    /// The finding about a command.
    func finding(_ command: String) -> String {
        switch self {
        case .tooOld(let server, let needed):
            "\(command): the server (\(server)) does not have the command, which was added in \(needed)"
        case .disabled: "\(command): the command is renamed or disabled on the server"
        case .unknown: "\(command): the server does not have the command"
        }
    }

    /// The remedy for a command.
    func advice(_ command: String) -> String {
        let word = command.prefix { $0 != " " }
        return switch self {
        case .tooOld(_, let needed): "upgrade the server to \(needed) or newer"
        case .disabled: "remove rename-command \(word) from the server's configuration"
        case .unknown:
            "upgrade the server, or remove rename-command \(word) from its configuration; INFO would show which"
        }
    }
}
