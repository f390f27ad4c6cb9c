import ComponentKit
package import RESP

/// The name of a connection in the server's CLIENT LIST: `sluice:PIPELINE:PURPOSE`, for example
/// `sluice:sessions:source` or `sluice:sessions:store:devices`.
public struct ClientName: Sendable, Hashable {
    /// The maximum length of each part, in characters, so that a long name does not crowd the server's list.
    static let partLimit = 64

    /// The pipeline's name; empty if the connection belongs to no pipeline.
    public var pipeline = ""
    /// The purpose of the connection and, if several parts have the same purpose, the part's name.
    package var purpose: [String] = []

    /// Creates the name of a connection without a known purpose: `sluice`.
    public init() {}

    /// The name as the server gets it. CLIENT SETNAME accepts only printable ASCII without spaces, so every other
    /// character is replaced by `_`.
    package var text: String {
        let parts = ["sluice", self.pipeline] + self.purpose
        return parts.filter { !$0.isEmpty }.map(Self.legal).joined(separator: ":")
    }

    private static func legal(_ part: String) -> String {
        String(
            part.unicodeScalars.prefix(self.partLimit).map { scalar in
                let isLegal = ("!"..."~").contains(scalar) && scalar != ":"
                return isLegal ? Character(scalar) : "_"
            })
    }

    /// The commands that give the connection its name and tell the server the client library and its version
    /// (CLIENT SETINFO: Redis 7.2 or newer).
    package var commands: [RESPCommand] {
        [
            RESPCommand("CLIENT", "SETNAME", self.text),
            RESPCommand("CLIENT", "SETINFO", "LIB-NAME", "sluice"),
            RESPCommand("CLIENT", "SETINFO", "LIB-VER", ProgramVersion.text),
        ]
    }
}

extension RedisSettings {
    /// Returns the settings for connections with this purpose.
    package func used(for purpose: String...) -> RedisSettings {
        var settings = self
        settings.clientName.purpose = purpose
        return settings
    }
}

extension ComponentSetup {
    /// Returns the section `redis`, whose connections have the pipeline's name, or `nil` if the section is invalid.
    package func redisSettings() -> RedisSettings? {
        self.section("redis", RedisSettings.type).map { self.named($0) }
    }

    /// Returns the settings of a server, whose connections have the pipeline's name.
    package func named(_ settings: RedisSettings) -> RedisSettings {
        var settings = settings
        settings.clientName.pipeline = self.pipeline
        return settings
    }
}
