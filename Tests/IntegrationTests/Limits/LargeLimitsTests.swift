import RESP
import RedisClient
import Testing

/// Entries of 1 KB to 65 MiB as the first, the last and one in the middle.
@Suite(.serialized, .enabled(if: LimitTable.isWanted)) struct LargeLimitsTests {
    /// Where in the stream an entry stands.
    enum Place: String, CaseIterable, Sendable {
        case first, middle, last
        var number: Int { self == .first ? 1 : self == .middle ? 2 : 3 }
    }

    /// The sizes, with the outcome of an entry: 64 KiB is the largest record of the store, 64 MiB the largest value.
    private static let sizes: [(bytes: Int, outcome: String, reason: String?)] = [
        (1000, "applied", nil), (60_000, "applied", nil), (1 << 20, "evicted", "store_failure"),
        (16 << 20, "evicted", "store_failure"), (63 << 20, "evicted", "store_failure"),
        (65 << 20, "evicted", "value_too_large"),
    ]

    @Test("A large entry and its neighbours have their outcomes", arguments: sizes, ["", ", group: g"])
    func outcomes(size: (bytes: Int, outcome: String, reason: String?), group: String) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for place in Place.allCases {
                    _ = try await connection.command(RESPCommand("DEL", LimitWorker.stream))
                    for number in 1...3 {
                        let bytes = number == place.number ? size.bytes : 10
                        try await connection.addTexts(1, bytes: bytes, from: number)
                    }
                    let file = LimitWorker.file(
                        source: "start: beginning, check_interval: 500ms\(group)",
                        redis: "address: \"\(server.address)\"")
                    try await LimitWorker.with(file) { worker in
                        try await eventually("all read, \(place)") { worker.journal.count >= 3 }
                        try await worker.ready()
                        for (index, line) in worker.journal.enumerated() {
                            let isLarge = index + 1 == place.number
                            #expect(line.entry == "\(index + 1)-0")
                            #expect(line.outcome == (isLarge ? size.outcome : "applied"), "\(place) \(line)")
                            #expect(line.reason == (isLarge ? size.reason : nil), "\(place) \(line)")
                        }
                        #expect(worker.journal.count == 3)
                        try await worker.stop()
                    }
                }
            }
        }
        let reason = size.reason.map { " (\($0))" } ?? ""
        try LimitTable.add(
            .large, "one entry of \(SlowLimitsTests.size(size.bytes)), \(group.isEmpty ? "alone" : "in a group")",
            "\(size.outcome)\(reason) as first, middle and last entry; both neighbours applied, ready")
    }

    @Test(
        "A first or last entry of 65 MiB does not affect a worker that starts at the tail",
        arguments: Place.allCases)
    func tail(place: Place) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for number in 1...3 {
                    try await connection.addTexts(1, bytes: number == place.number ? 65 << 20 : 10, from: number)
                }
                let file = LimitWorker.file(
                    source: "start: tail, check_interval: 200ms", redis: "address: \"\(server.address)\"")
                try await LimitWorker.with(file) { worker in
                    try await worker.ready()
                    try await Task.sleep(for: .seconds(1))
                    try await connection.addTexts(1, bytes: 10, from: 4)
                    try await eventually("read") { worker.journal.map(\.entry) == ["4-0"] }
                    #expect(try await worker.metric("sluice_source_reconnects_total") == 0)
                    try await worker.stop()
                }
            }
        }
        try LimitTable.add(
            .large, "the \(place.rawValue) entry has 65 MiB, start: tail", "ready, the next entry applied, 0 reconnects"
        )
    }

    @Test("Without permission to run scripts, a first and last entry of 65 MiB stops no worker")
    func withoutScripts() async throws {
        let users = ["user default on nopass ~* &* +@all", "user u on >p ~* &* +@all -@scripting"]
        try await withRedisServer(RedisServer.Options(users: users)) { server in
            try await withConnection(server.settings) { connection in
                try await connection.addTexts(1, bytes: 65 << 20)
                let file = LimitWorker.file(
                    source: "start: tail, check_interval: 500ms",
                    redis: "address: \"\(server.address)\", username: u, password: p")
                try await LimitWorker.with(file) { worker in
                    try await worker.ready()
                    try await connection.addTexts(1, bytes: 10, from: 2)
                    try await eventually("read") { worker.journal.map(\.entry) == ["2-0"] }
                    try await worker.stop()
                }
            }
        }
        try LimitTable.add(
            .large, "first and last entry of 65 MiB, no permission for scripts, start: tail",
            "ready, the next entry applied")
    }

    @Test("`on_oversized: halt` ends the run with the entry's name")
    func halt() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await connection.addTexts(1, bytes: 65 << 20)
                let file = LimitWorker.file(
                    source: "start: beginning, on_oversized: halt", redis: "address: \"\(server.address)\"")
                try await LimitWorker.with(file) { worker in
                    let ending = try await worker.process.end()
                    #expect(ending.status == 1 && ending.errors.contains("1-0"), "\(ending.errors)")
                }
            }
        }
        try LimitTable.add(.large, "an entry of 65 MiB, on_oversized: halt", "exit status 1, the error names the entry")
    }
}
