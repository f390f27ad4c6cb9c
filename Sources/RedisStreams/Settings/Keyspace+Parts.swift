package import RedisClient
package import StageKit

extension Keyspace {
    /// Returns the keys that a source uses.
    package static func parts(
        ofSource settings: RedisStreamSettings, _ node: SettingNode, on server: RedisSettings,
        at position: SettingPosition
    ) -> [Part] {
        let stream = (node["streams"] ?? node["stream"])?.position ?? position
        var parts = settings.keys.map { Part(.source(stream: $0), on: server, at: stream, context: "source") }
        if case .keys(let keys) = settings.bootstrap {
            let position = node["bootstrap"]?["keys"]?["match"]?.position ?? position
            parts.append(Part(.bootstrap(pattern: keys.match), on: server, at: position, context: "source: bootstrap"))
        }
        return parts
    }

    /// Returns the keys that a redis store uses, or an empty array if its settings are invalid.
    ///
    /// - Parameter section: The server of the section `redis`, for a store without a server of its own.
    package static func parts(
        ofStore name: String, _ node: SettingNode, section: RedisSettings?, at position: SettingPosition
    ) -> [Part] {
        var reportedElsewhere = SettingIssues()
        guard let settings = RedisStoreSettings.type.decode(node, &reportedElsewhere),
            let server = settings.server ?? section
        else { return [] }
        return [
            Part(
                .store(prefix: settings.prefix(ofStore: name)), on: server, at: node["prefix"]?.position ?? position,
                context: "stores: \(name)")
        ]
    }

    /// Returns the stream or channel on which revocations are published.
    package static func part(
        of revocations: RevocationSettings, _ node: SettingNode, on server: RedisSettings
    ) -> Part {
        let publish = node["publish"]
        let position = (publish?["stream"] ?? publish?["channel"] ?? publish ?? node).position
        let use: Use =
            switch revocations.target {
            case .channel(let name): .revocationChannel(name)
            case .stream(let key, _): .revocations(stream: key)
            }
        return Part(use, on: server, at: position, context: "revocations")
    }
}

extension RedisStoreSettings {
    /// The prefix of a store's keys.
    func prefix(ofStore name: String) -> String { self.prefix ?? "\(name):" }
}
