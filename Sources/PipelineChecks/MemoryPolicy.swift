import ComponentKit
import RESP

/// The eviction policy of a server. Pure.
struct MemoryPolicy: Equatable {
    /// The server's purpose.
    enum Use {
        /// Holds the stream.
        case stream
        /// Holds a store's snapshots.
        case store
    }

    /// The setting `maxmemory-policy`, such as `noeviction`.
    var name: String
    /// The setting `maxmemory` in bytes, or 0 for no limit.
    var limit: Int

    /// Creates a policy.
    init(name: String, limit: Int) {
        self.name = name
        self.limit = limit
    }

    /// Parses a reply to INFO; returns `nil` if it does not contain the policy.
    init?(information: RESPValue?) {
        var facts: [Substring: Substring] = [:]
        for line in (information?.string ?? "").split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { facts[parts[0]] = parts[1] }
        }
        guard let name = facts["maxmemory_policy"], let limit = facts["maxmemory"].flatMap({ Int($0) })
        else { return nil }
        self.init(name: String(name), limit: limit)
    }

    /// Parses two replies to CONFIG GET; returns `nil` if they do not contain the policy.
    init?(policy: RESPValue?, limit: RESPValue?) {
        guard let name = policy?.array?.last?.string, let limit = limit?.array?.last?.string.flatMap({ Int($0) })
        else { return nil }
        self.init(name: name, limit: limit)
    }

    /// Returns the step that reports the policy; `policy` is `nil` if the server did not report it.
    static func step(_ name: String, _ policy: MemoryPolicy?, of use: Use) -> CheckStep {
        guard let policy else {
            return CheckStep(
                name, .unknown, "unknown: the server refuses INFO memory and CONFIG GET",
                advice: "ask the operator of the server: maxmemory-policy must be noeviction")
        }
        if policy.name == "noeviction" { return CheckStep(name, .good, "noeviction: a full server refuses writes") }
        if policy.limit == 0 {
            return CheckStep(name, .good, "\(policy.name), but without maxmemory: nothing is evicted")
        }
        let head = "\(policy.name) with maxmemory \(policy.limit)"
        let advice = "CONFIG SET maxmemory-policy noeviction"
        switch use {
        case .stream:
            if policy.name.hasPrefix("volatile-") {
                return CheckStep(name, .good, "\(head): a stream without an expiry is not evicted")
            }
            return CheckStep(
                name, .warning, "\(head): a full server evicts the whole stream, and unread entries are lost",
                advice: advice)
        case .store:
            let what =
                policy.name.hasPrefix("volatile-")
                ? "the record of evictions, and snapshots with a ttl"
                : "snapshots and the record of evictions"
            return CheckStep(
                name, .warning,
                "\(head): a full server forgets \(what); an older entry that is delivered late then "
                    + "overwrites a newer one: a revoked key is valid again", advice: advice)
        }
    }
}
