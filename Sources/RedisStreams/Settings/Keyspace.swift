package import StageKit

/// The keys and channels of servers that the parts of a pipeline file use, to find parts that would damage each other.
///
/// A store owns every key that begins with its prefix: it empties them, and other programs take each of them for a
/// snapshot. So nothing else may use such a key. Pure.
package struct Keyspace: Sendable {
    /// What a part uses.
    package enum Use: Sendable, Equatable {
        /// A store's keys, by their prefix.
        case store(prefix: String)
        /// The keys that the stores are filled from, by their pattern.
        case bootstrap(pattern: String)
        /// A stream that the source reads.
        case source(stream: String)
        /// A stream that gets dead-letter entries.
        case deadLetters(stream: String)
        /// A stream that gets revocations.
        case revocations(stream: String)
        /// A stream that gets messages.
        case messages(stream: String)
        /// A channel that gets revocations.
        case revocationChannel(String)
        /// A channel that gets messages.
        case messageChannel(String)
    }

    /// A part of the file with the keys that it uses.
    package struct Part: Sendable {
        /// The keys.
        package var use: Use
        /// The server that has them.
        package var server: RedisSettings
        /// Where the file names them.
        package var mark: SourceMark
        /// The part's place in words, for messages: `stores: sessions`.
        package var context: String

        /// Makes a part.
        package init(_ use: Use, on server: RedisSettings, at mark: SourceMark, context: String) {
            self.use = use
            self.server = server
            self.mark = mark
            self.context = context
        }
    }

    private let parts: [Part]

    /// Compares these parts.
    package init(_ parts: [Part]) {
        self.parts = parts
    }

    /// Adds what is wrong with pairs of parts.
    package func check(_ issues: inout SettingIssues, warnings: inout SettingIssues) {
        for (index, part) in self.parts.enumerated() {
            for other in self.parts[(index + 1)...] where part.server.hasSameKeys(as: other.server) {
                Self.compare(part, other, &issues, &warnings)
            }
        }
    }

    private static func compare(
        _ first: Part, _ second: Part, _ issues: inout SettingIssues, _ warnings: inout SettingIssues
    ) {
        switch (first.use, second.use) {
        case (.store(let prefix), .store(let other)):
            guard prefix.hasPrefix(other) || other.hasPrefix(prefix) else { return }
            issues.within(second.context) {
                $0.add(
                    "the prefix \"\(other)\" overlaps \"\(prefix)\" of \(first.context): emptying one store would empty "
                        + "the other; choose prefixes of which none begins with the other", at: second.mark)
            }
        case (.store(let prefix), let use): Self.compare(first, prefix, with: second, use, &issues)
        case (let use, .store(let prefix)): Self.compare(second, prefix, with: first, use, &issues)
        default: Self.compareTargets(first, second, &issues, &warnings)
        }
    }

    private static func compare(
        _ store: Part, _ prefix: String, with other: Part, _ use: Use, _ issues: inout SettingIssues
    ) {
        let found: String
        if let stream = use.stream, stream.utf8.starts(with: prefix.utf8) {
            found = "the stream \"\(stream)\" of \(other.context)"
        } else if case .bootstrap(let pattern) = use, KeyPattern(pattern).canMatch(keysWithPrefix: prefix) {
            found = "keys of the pattern \"\(pattern)\" of \(other.context)"
        } else {
            return
        }
        issues.within(store.context) {
            $0.add(
                "the prefix \"\(prefix)\" covers \(found): every key with the prefix belongs to the store; "
                    + "choose another prefix", at: store.mark)
        }
    }

    /// Two parts that write to one stream or channel, or write to the one that is read.
    private static func compareTargets(
        _ first: Part, _ second: Part, _ issues: inout SettingIssues, _ warnings: inout SettingIssues
    ) {
        if let stream = first.use.stream, stream == second.use.stream, first.use != second.use {
            let text = "the stream \"\(stream)\" is also that of \(first.context)"
            switch (first.use, second.use) {
            // A message to the stream that is read may be meant: a stage can have a condition that ends the circle.
            case (.source, .messages):
                warnings.within(second.context) {
                    $0.add("\(text): messages come back as entries", at: second.mark)
                }
            case (.messages, .revocations), (.revocations, .messages):
                warnings.within(second.context) {
                    $0.add("\(text): its readers get entries of two forms", at: second.mark)
                }
            default: issues.within(second.context) { $0.add("\(text): choose another", at: second.mark) }
            }
        }
        if let channel = first.use.channel, channel == second.use.channel, first.use != second.use {
            warnings.within(second.context) {
                $0.add(
                    "the channel \"\(channel)\" is also that of \(first.context): its subscribers get messages of two "
                        + "forms", at: second.mark)
            }
        }
    }
}

extension Keyspace.Use {
    /// The stream, or `nil` for anything else.
    fileprivate var stream: String? {
        switch self {
        case .source(let key), .deadLetters(let key), .revocations(let key), .messages(let key): key
        case .store, .bootstrap, .revocationChannel, .messageChannel: nil
        }
    }

    /// The channel, or `nil` for anything else.
    fileprivate var channel: String? {
        switch self {
        case .revocationChannel(let name), .messageChannel(let name): name
        default: nil
        }
    }
}

extension RedisSettings {
    /// Whether a key of these settings is, as far as the file shows, the same key of the others.
    func hasSameKeys(as other: RedisSettings) -> Bool {
        if let master = self.sentinel?.master, let otherMaster = other.sentinel?.master, master != otherMaster {
            return false
        }
        return self.database == other.database && !self.places.isDisjoint(with: other.places)
    }

    /// The addresses that the file names, names of this machine being the same.
    private var places: Set<RedisAddress> {
        let named = self.sentinel?.addresses ?? self.cluster?.addresses ?? [self.address]
        return Set(
            named.map { address in
                guard case .tcp(let host, let port) = address, ["127.0.0.1", "::1"].contains(host) else {
                    return address
                }
                return .tcp(host: "localhost", port: port)
            })
    }
}
