import RESP
import StageKit

extension RedisError {
    /// The meaning of an error answer, found by its first word.
    struct Meaning: Sendable {
        /// The first word.
        let word: String
        /// The error code.
        let code: Code
        /// Whether a retry can succeed without a change by the operator.
        let isTransient: Bool
        /// The advice for the operator; empty if the server's text is sufficient.
        let advice: String
    }

    /// The advice if a permission is missing.
    private static let grant = "grant the permission with ACL SETUSER, or log in as another user"

    /// The error prefixes of Redis (source: `server.h` shared objects, and the cluster and ACL code).
    static let meanings: [Meaning] = [
        Meaning(word: "LOADING", code: .unavailable, isTransient: true, advice: "the server is loading its data"),
        Meaning(word: "READONLY", code: .unavailable, isTransient: true, advice: "the server is a replica"),
        Meaning(word: "MASTERDOWN", code: .unavailable, isTransient: true, advice: "the replica has no master"),
        Meaning(
            word: "CLUSTERDOWN", code: .unavailable, isTransient: true, advice: "the cluster does not cover all slots"),
        Meaning(word: "TRYAGAIN", code: .unavailable, isTransient: true, advice: "slots are moving"),
        Meaning(
            word: "BUSY", code: .unavailable, isTransient: true,
            advice: "a script blocks the server until it ends or is killed (SCRIPT KILL)"),
        Meaning(word: "UNBLOCKED", code: .unavailable, isTransient: true, advice: "the server ended the blocked read"),
        Meaning(
            word: "NOSCRIPT", code: .scriptMissing, isTransient: false, advice: "the server has not cached the script"),
        Meaning(
            word: "WRONGTYPE", code: .wrongType, isTransient: false, advice: "choose another key, or delete this one"),
        Meaning(
            word: "MISCONF", code: .unavailable, isTransient: true,
            advice: "the server cannot save its data and refuses writes"
        ),
        Meaning(
            word: "OOM", code: .outOfMemory, isTransient: true,
            advice: "the server has no memory left: raise maxmemory, or remove keys"),
        Meaning(
            word: "NOREPLICAS", code: .unavailable, isTransient: true, advice: "too few replicas are in sync"),
        Meaning(word: "NOGROUP", code: .noGroup, isTransient: true, advice: "the consumer group does not exist"),
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
            advice: "without a password, the server accepts connections from its own machine only"),
    ]

    /// The advice if the server does not have a command.
    private static let enable = "the server is too old for it, or the command is renamed or disabled (rename-command)"

    /// `ERR` answers with a meaning of their own, found by how the text begins. Redis 6.2 omits `ERR` inside scripts.
    static let errMeanings: [Meaning] = [
        // A missing permission inside a script: Redis 7.0, then 7.2 and newer.
        Meaning(
            word: "ERR The user executing the script", code: .permission, isTransient: false,
            advice: Self.grant),
        Meaning(
            word: "ERR ACL failure in script", code: .permission, isTransient: false,
            advice: Self.grant),
        Meaning(word: "ERR unknown command", code: .unknownCommand, isTransient: false, advice: Self.enable),
        Meaning(word: "ERR unknown subcommand", code: .unknownCommand, isTransient: false, advice: Self.enable),
        // Before 7.0; the number of arguments is never wrong.
        Meaning(word: "ERR Unknown subcommand", code: .unknownCommand, isTransient: false, advice: Self.enable),
        // Inside a script.
        Meaning(word: "ERR Unknown Redis command", code: .unknownCommand, isTransient: false, advice: Self.enable),
        Meaning(
            word: "ERR max number of clients", code: .unavailable, isTransient: true,
            advice: "the server has reached its connection limit (maxclients)"),
        Meaning(
            word: "ERR AUTH", code: .authentication, isTransient: false,
            advice: "the server has no password: remove redis.password"),
        Meaning(
            word: "ERR invalid password", code: .authentication, isTransient: false,
            advice: "check redis.username and the password"),
        Meaning(
            word: "ERR DB index is out of range", code: .badSettings, isTransient: false,
            advice: "the server has fewer databases: lower redis.database"),
        Meaning(
            word: "ERR SELECT is not allowed in cluster mode", code: .badSettings, isTransient: false,
            advice: "this cluster has database 0 only: remove redis.database (Valkey 9 has more with cluster-databases)"
        ),
    ]

    /// The maximum length of a server's text in a message, in characters.
    static let toldTextLimit = 300

    /// Returns the error for an error answer to `command`. `secret` is removed from the server's text.
    package static func answer(_ text: String, to command: String, hiding secret: Secret? = nil) -> RedisError {
        let shown = self.shown(text, hiding: secret)
        if let redirection = Redirection(text) {
            return RedisError(
                redirection, "\(command): the server replied \"\(shown)\": the server is part of a cluster")
        }
        let cause = self.cause(text)
        let word = cause.prefix { $0 != " " }
        let meaning =
            self.meanings.first { $0.word == word }
            ?? self.errMeanings.first { cause.hasPrefix($0.word) || "ERR \(cause)".hasPrefix($0.word) }
        guard let meaning else {
            return RedisError(.serverError, "\(command): the server replied \"\(shown)\"", isTransient: false)
        }
        return RedisError(
            meaning.code, "\(command): the server replied \"\(shown)\": \(meaning.advice)",
            isTransient: meaning.isTransient,
            credentials: meaning.code == .authentication ? CredentialFailure(.login) : nil)
    }

    /// The beginning of an error answer in which Redis 6.2 and older wrap the error of a command inside a script:
    /// `ERR Error running script (call to f_SHA): @user_script:3: @user_script: 3: -READONLY You can't write ...`.
    private static let scriptPrefix = "ERR Error running script"

    /// Returns the innermost error of an answer: that of the command inside a script, or the text itself.
    ///
    /// A script that catches an error and returns it omits the beginning: `@user_script: 3: -READONLY You can't ...`.
    static func cause(_ text: String) -> Substring {
        let marker = "@user_script:"
        guard text.hasPrefix(self.scriptPrefix) || text.hasPrefix(marker) else { return text[...] }
        var rest = text[...]
        while let range = rest.firstRange(of: marker) {
            let after = rest[range.upperBound...].drop { $0 == " " || $0.isNumber }
            guard after.hasPrefix(": ") else { break }
            rest = after.dropFirst(2)
        }
        return rest.hasPrefix("-") ? rest.dropFirst() : rest
    }

    /// Returns a server's text for a log line: truncated, without control characters, and without the command's
    /// arguments.
    private static func shown(_ text: String, hiding secret: Secret?) -> String {
        var text = text
        // Redis repeats the arguments of an unknown command, and one of them can be a password.
        for marker in [", with args beginning with", " with args beginning with"] {
            if let range = text.firstRange(of: marker) { text = String(text[..<range.lowerBound]) }
        }
        if let secret, !secret.text.isEmpty { text = text.replacing(secret.text, with: secret.description) }
        return QuotedText.plain(text, characters: Self.toldTextLimit)
    }

    /// Returns the error for bytes that are not valid replies.
    static func unreadable(_ error: RESPError) -> RedisError {
        switch error.kind {
        case .limitExceeded:
            RedisError(
                .replyTooLarge, "\(error): lower read_count", isTransient: false)
        case .protocolViolation:
            RedisError(
                .protocolViolation, "\(error); is this a Redis server, and does the port use TLS?",
                isTransient: true)
        case .outOfMemory: RedisError(.replyTooLarge, "\(error)", isTransient: true)
        }
    }
}
