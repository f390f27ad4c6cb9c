import RESP

extension RedisError {
    /// What the first word of an error answer means.
    struct Meaning: Sendable {
        /// The first word.
        let word: String
        /// The kind of failure.
        let code: Code
        /// Whether it passes by itself.
        let isTransient: Bool
        /// What to do; empty where the server's own text says it.
        let advice: String
    }

    /// What to do where a right is missing.
    private static let grant = "give the user the right with ACL SETUSER, or log in as another"

    /// The words that servers answer with (Redis source, `server.h` shared objects, and the cluster and ACL code).
    static let meanings: [Meaning] = [
        Meaning(word: "LOADING", code: .unavailable, isTransient: true, advice: "the server is loading its data"),
        Meaning(word: "READONLY", code: .unavailable, isTransient: true, advice: "the server is a replica"),
        Meaning(word: "MASTERDOWN", code: .unavailable, isTransient: true, advice: "the replica has no master"),
        Meaning(word: "CLUSTERDOWN", code: .unavailable, isTransient: true, advice: "the cluster is not whole"),
        Meaning(word: "TRYAGAIN", code: .unavailable, isTransient: true, advice: "slots are moving"),
        Meaning(
            word: "BUSY", code: .unavailable, isTransient: true,
            advice: "a script holds the server up: it answers again when the script ends or is killed"),
        Meaning(word: "UNBLOCKED", code: .unavailable, isTransient: true, advice: "the server ended the blocked read"),
        Meaning(word: "NOSCRIPT", code: .scriptMissing, isTransient: false, advice: "the script has to be sent again"),
        Meaning(
            word: "WRONGTYPE", code: .wrongType, isTransient: false, advice: "name another key, or delete this one"),
        Meaning(
            word: "MISCONF", code: .unavailable, isTransient: true, advice: "the server cannot save and takes no writes"
        ),
        Meaning(
            word: "NOREPLICAS", code: .unavailable, isTransient: true, advice: "too few replicas follow the server"),
        Meaning(word: "NOGROUP", code: .noGroup, isTransient: true, advice: "the consumer group is gone"),
        Meaning(
            word: "NOAUTH", code: .authentication, isTransient: false,
            advice: "set redis.password or redis.password_file"),
        Meaning(
            word: "WRONGPASS", code: .authentication, isTransient: false,
            advice: "check redis.username and the password"),
        Meaning(
            word: "NOPERM", code: .permission, isTransient: false,
            advice: Self.grant),
        Meaning(
            word: "DENIED", code: .permission, isTransient: false,
            advice: "the server only serves its own machine without a password"),
    ]

    /// What `ERR` texts mean that are worth telling apart, by how they begin.
    static let errMeanings: [Meaning] = [
        // Redis 7.0, and 7.2 and newer, of a command within a script.
        Meaning(
            word: "ERR The user executing the script", code: .permission, isTransient: false,
            advice: Self.grant),
        Meaning(
            word: "ERR ACL failure in script", code: .permission, isTransient: false,
            advice: Self.grant),
        Meaning(
            word: "ERR max number of clients", code: .unavailable, isTransient: true,
            advice: "the server has no room for a connection"),
        Meaning(
            word: "ERR AUTH", code: .authentication, isTransient: false,
            advice: "the server has no password set: leave redis.password out"),
        Meaning(
            word: "ERR invalid password", code: .authentication, isTransient: false,
            advice: "check redis.username and the password"),
        Meaning(
            word: "ERR DB index is out of range", code: .badSettings, isTransient: false,
            advice: "the server has fewer databases: lower redis.database"),
    ]

    /// The longest part of a server's text that is told, in characters.
    static let toldTextLimit = 300

    /// The failure that an error answer to `command` means; `secret` is cut out of the server's text.
    static func answer(_ text: String, to command: String, hiding secret: Secret? = nil) -> RedisError {
        let told = self.told(text, hiding: secret)
        if let redirection = Redirection(text) {
            return RedisError(
                redirection, "\(command): the server answered \"\(told)\": the server is part of a cluster")
        }
        let word = text.prefix { $0 != " " }
        let meaning =
            self.meanings.first { $0.word == word }
            ?? self.errMeanings.first { text.hasPrefix($0.word) }
        guard let meaning else {
            return RedisError(.serverError, "\(command): the server answered \"\(told)\"", isTransient: false)
        }
        return RedisError(
            meaning.code, "\(command): the server answered \"\(told)\": \(meaning.advice)",
            isTransient: meaning.isTransient)
    }

    /// A server's text, fit for a log line: bounded, without control characters, without what the command had in it.
    private static func told(_ text: String, hiding secret: Secret?) -> String {
        var text = text
        // Redis repeats the arguments of a command that it does not know, and a password can be one of them.
        for marker in [", with args beginning with", " with args beginning with"] {
            if let range = text.firstRange(of: marker) { text = String(text[..<range.lowerBound]) }
        }
        if let secret, !secret.text.isEmpty { text = text.replacing(secret.text, with: secret.description) }
        let printable = text.prefix(Self.toldTextLimit).unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control ? "?" : Character(scalar)
        }
        return String(printable)
    }

    /// The failure that bytes mean which cannot be read as replies.
    static func unreadable(_ error: RESPError) -> RedisError {
        switch error.kind {
        case .limitExceeded:
            RedisError(
                .replyTooLarge, "\(error): a reply of several entries needs a smaller read_count", isTransient: false)
        case .protocolViolation:
            RedisError(
                .protocolViolation, "\(error); is the address that of a Redis server, and does it speak TLS?",
                isTransient: true)
        case .outOfMemory: RedisError(.replyTooLarge, "\(error)", isTransient: true)
        }
    }
}
