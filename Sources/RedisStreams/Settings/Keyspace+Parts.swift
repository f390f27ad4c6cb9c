package import RedisClient
package import StageKit

extension Keyspace {
    /// Returns the keys that a part of the file declares.
    ///
    /// - Parameters:
    ///   - keys: The declared keys.
    ///   - context: The part's path in messages.
    ///   - node: The settings of the part.
    ///   - server: The server that holds the keys.
    ///   - position: The position of the part, for a setting that is not in the file.
    package static func parts(
        _ keys: [ServerKey], of context: String, _ node: SettingNode, on server: RedisSettings,
        at position: SettingPosition
    ) -> [Part] {
        keys.map { key in
            let setting = key.setting.reduce(SettingNode?.some(node)) { $0?[$1] }
            let outermost = key.setting.count > 1 ? ": \(key.setting[0])" : ""
            return Part(key.use, on: server, at: setting?.position ?? position, context: "\(context)\(outermost)")
        }
    }

    /// Returns the stream or channel on which revocations are published.
    package static func part(
        of revocations: RevocationSettings, _ node: SettingNode, on server: RedisSettings
    ) -> Part {
        let publish = node["publish"]
        let position = (publish?["stream"] ?? publish?["channel"] ?? publish ?? node).position
        let use: ServerKey.Use =
            switch revocations.target {
            case .channel(let name): .revocationChannel(name)
            case .stream(let key, _): .revocations(stream: key)
            }
        return Part(use, on: server, at: position, context: "revocations")
    }
}

extension RedisStreamSettings {
    /// The streams, and the keys that the stores are filled from.
    var serverKeys: [ServerKey] {
        let setting = self.streams == nil ? "stream" : "streams"
        var keys = self.keys.map { ServerKey(.source(stream: $0), from: setting) }
        if case .keys(let bootstrap) = self.bootstrap {
            keys.append(ServerKey(.bootstrap(pattern: bootstrap.match), from: "bootstrap", "keys", "match"))
        }
        return keys
    }
}

extension RedisStoreSettings {
    /// The prefix of a store's keys.
    func prefix(ofStore name: String) -> String { self.prefix ?? "\(name):" }
}
