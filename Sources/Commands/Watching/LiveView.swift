import Foundation

/// The part of `/v1/live` that `sluice top` shows.
struct LiveView: Decodable {
    struct Graph: Decodable {
        struct Source: Decodable {
            var type: String
            var stream: String
        }

        var pipeline: String
        var source: Source
    }

    struct Stage: Decodable {
        var name: String
        var passed: Double
        var finished: Double
        var failed: Double
        var skipped: Double
    }

    struct Outcome: Decodable {
        var outcome: String
        var reason: String
        var count: Double
    }

    struct Source: Decodable {
        var state: String
        var reconnects: Double
        var cursor: String?
        var isCaughtUp: Bool

        private enum CodingKeys: String, CodingKey {
            case state, reconnects, cursor
            case isCaughtUp = "caught_up"
        }
    }

    struct Lag: Decodable {
        var entries: Double?
        var seconds: Double?
    }

    struct Store: Decodable {
        var store: String
        var entries: Double
        var age: Double?
        var why: String?

        private enum CodingKeys: String, CodingKey {
            case store, entries, why
            case age = "age_s"
        }
    }

    struct Words: Decodable {
        var level: String
        var title: String
        var text: String
    }

    struct Revocations: Decodable {
        struct Notice: Decodable {
            var key: String
            var entry: String
            var added: Double
            /// `eviction` or `reset`, or `nil` for a revocation.
            var kind: String?
            var reason: String?
            var store: String?

            /// The line for people.
            var text: String {
                switch self.kind {
                case nil: "\(ClockText.time(self.added))  \(self.entry)  \(self.key)"
                case "reset": "store \(self.store ?? "") emptied (\(self.reason ?? ""))"
                default: "\(ClockText.time(self.added))  \(self.entry)  \(self.key)  evicted (\(self.reason ?? ""))"
                }
            }

            private enum CodingKeys: String, CodingKey {
                case key, entry, kind, reason, store
                case added = "added_ms"
            }
        }

        var total: Double
        var recent: [Notice]
    }

    var graph: Graph
    var read: Double
    var outcomes: [Outcome]
    var stages: [Stage]
    var source: Source
    var now: Double
    var isReady: Bool
    var advice: [Words]
    var lag: Lag
    var freshness: [Store]
    var drops: [WatchedEvent]
    var revocations: Revocations

    private enum CodingKeys: String, CodingKey {
        case graph, read, outcomes, stages, source, advice, lag, freshness, drops, revocations
        case now = "now_ms"
        case isReady = "ready"
    }

    /// Parses a document.
    init(_ text: String) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    }
}
