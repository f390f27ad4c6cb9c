package import RedisClient
package import StageKit

/// The keys and channels that the parts of a pipeline file use, to find parts that would damage each other's data.
///
/// A store owns every key with its prefix: it deletes these keys when it is emptied, and other programs read each of
/// them as a snapshot. No other part may use such a key. Does no I/O.
package struct Keyspace: Sendable {
    /// A part of the file and the keys that it uses.
    package struct Part: Sendable {
        /// The keys.
        package var use: ServerKey.Use
        /// The server that holds them.
        package var server: RedisSettings
        /// The position in the file.
        package var position: SettingPosition
        /// The part's path in messages: `stores: sessions`.
        package var context: String

        /// Creates a part.
        package init(_ use: ServerKey.Use, on server: RedisSettings, at position: SettingPosition, context: String) {
            self.use = use
            self.server = server
            self.position = position
            self.context = context
        }
    }

    private let parts: [Part]

    /// Creates a keyspace of these parts.
    package init(_ parts: [Part]) {
        self.parts = parts
    }

    /// Adds an error or a warning for each pair of parts that conflict.
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
                    "the prefix \"\(other)\" overlaps \"\(prefix)\" of \(first.context): emptying one store would "
                        + "empty the other; choose prefixes of which neither begins with the other", at: second.position
                )
            }
        case (.store(let prefix), let use): Self.compare(first, prefix, with: second, use, &issues)
        case (let use, .store(let prefix)): Self.compare(second, prefix, with: first, use, &issues)
        default: Self.compareTargets(first, second, &issues, &warnings)
        }
    }

    private static func compare(
        _ store: Part, _ prefix: String, with other: Part, _ use: ServerKey.Use, _ issues: inout SettingIssues
    ) {
        let found: String
        if let stream = use.stream, stream.utf8.starts(with: prefix.utf8) {
            found = "the stream \"\(stream)\" of \(other.context)"
        } else if case .bootstrap(let pattern) = use, KeyPattern(pattern).canMatch(keysWithPrefix: prefix) {
            found = "keys that match \"\(pattern)\" of \(other.context)"
        } else if case .messageStreams(let pattern) = use, KeyPattern(pattern).canMatch(keysWithPrefix: prefix) {
            found = "streams that match \"\(pattern)\" of \(other.context)"
        } else {
            return
        }
        issues.within(store.context) {
            $0.add(
                "the prefix \"\(prefix)\" covers \(found): every key with the prefix belongs to the store; "
                    + "choose another prefix", at: store.position)
        }
    }

    /// Checks for two parts that write to the same stream or channel, or for one that writes to a stream that is read.
    private static func compareTargets(
        _ first: Part, _ second: Part, _ issues: inout SettingIssues, _ warnings: inout SettingIssues
    ) {
        if let stream = first.use.stream, stream == second.use.stream, first.use != second.use {
            let text = "the stream \"\(stream)\" is also used by \(first.context)"
            switch (first.use, second.use) {
            // Writing messages to the stream that is read can be intended: a stage's condition can end the loop.
            case (.source, .messages):
                warnings.within(second.context) {
                    $0.add("\(text): its messages are read again as entries", at: second.position)
                }
            case (.messages, .revocations), (.revocations, .messages):
                warnings.within(second.context) {
                    $0.add("\(text): its readers receive two kinds of entries", at: second.position)
                }
            default: issues.within(second.context) { $0.add("\(text): choose another", at: second.position) }
            }
        }
        Self.comparePatterns(first, second, &warnings)
        Self.comparePatterns(second, first, &warnings)
        if let channel = first.use.channel, channel == second.use.channel, first.use != second.use {
            warnings.within(second.context) {
                $0.add(
                    "the channel \"\(channel)\" is also used by \(first.context): its subscribers receive two "
                        + "kinds of messages", at: second.position)
            }
        }
    }
}

extension Keyspace {
    /// Checks whether the names that a part takes from events can be that of another part.
    private static func comparePatterns(_ part: Part, _ other: Part, _ warnings: inout SettingIssues) {
        let found: String
        switch part.use {
        case .messageStreams(let pattern):
            guard let stream = other.use.stream, KeyPattern(pattern).matches(stream) else { return }
            if case .messages = other.use { return }
            found = "the stream \"\(stream)\" of \(other.context) can be one of \"\(pattern)\""
        case .messageChannels(let pattern):
            guard case .revocationChannel(let channel) = other.use, KeyPattern(pattern).matches(channel) else { return }
            found = "the channel \"\(channel)\" of \(other.context) can be one of \"\(pattern)\""
        default: return
        }
        warnings.within(part.context) {
            $0.add("\(found): begin the name with text of its own", at: part.position)
        }
    }
}

extension ServerKey.Use {
    /// The stream, or `nil` for any other use.
    fileprivate var stream: String? {
        switch self {
        case .source(let key), .deadLetters(let key), .revocations(let key), .messages(let key): key
        case .store, .bootstrap, .messageStreams, .revocationChannel, .messageChannel, .messageChannels: nil
        }
    }

    /// The channel, or `nil` for any other use.
    fileprivate var channel: String? {
        switch self {
        case .revocationChannel(let name), .messageChannel(let name): name
        default: nil
        }
    }
}

extension RedisSettings {
    /// Returns whether both settings lead to the same keys, judged by the file alone.
    func hasSameKeys(as other: RedisSettings) -> Bool {
        if let master = self.sentinel?.master, let otherMaster = other.sentinel?.master, master != otherMaster {
            return false
        }
        return self.database == other.database && !self.places.isDisjoint(with: other.places)
    }

    /// The addresses in the file, with all loopback names mapped to one.
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
