import ComponentKit
import PipelineEngine
import RESP
import RedisClient
import StageKit
import StageTestKit
import Testing
import Worker

/// Notes what became of each entry, one line each.
private final class Outcomes: OutcomeObserver, Sendable {
    private let noted = OrderedMutex<[String]>([])

    var lines: [String] { self.noted.withLock { $0 } }

    func observe(_ event: borrowing Event, _ record: EventResult) {
        let line = [record.outcome.name, record.reason, record.error].compactMap(\.self).joined(separator: " | ")
        self.noted.withLock { $0.append(line) }
    }

    func endBatch() async throws {}
}

/// The stages that work on an event's own fields, all of them in one pipeline on a real server.
@Suite struct FieldStagesTests {
    private static let start: Int64 = 1_700_000_000_000
    /// The clock stands a minute behind the first entry.
    private static let now = Self.start + 60_000

    private static let file = """
        pipeline: shop
        redis: { address: "${REDIS_ADDRESS}" }
        source:
          redis_stream: { stream: "shop:orders", start: beginning }
        stores:
          orders:
            memory: { key: order_id }
        stages:
          - decode:
              event: order
              json: payload
              fields:
                order_id: { required: true, blank: reject }
                status:   { required: true }
                customer: { path: customer.id }
                amount:   { type: int64 }
                paid_at:  { type: int64 }
            on_failure: note
          - filter: { drop: { status: draft }, reason: draft }
          - validate:
              order_id: { pattern: "[a-z]-[0-9]+", length: { max: 6 } }
              status:   { one_of: [open, paid] }
              amount:   { range: { min: 0, max: 1000 }, required_if: { status: paid } }
              paid_at:  { not_in_future: 5s }
          - dedupe: { by: [order_id, status], within: 10m }
          - throttle: { rate: 2/m, by: customer }
          - sample: { one_in: 2, by: order_id }
          - set: { label: "{customer}:{order_id}", channel: web }
          - rename: { customer: customer_id }
          - remove: { fields: [paid_at] }
          - upsert: { store: orders }
          - metrics: { counter: orders, labels: [status] }
          - metrics: { counter: revenue, value: amount }
          - metrics: { gauge: last_amount, value: amount }
          - metrics: { histogram: amounts, value: amount, labels: [customer_id] }
        branches:
          note:
            - metrics: { counter: broken, labels: [reason] }
        """

    /// An order with the seconds after the start at which it comes, and what is to become of it.
    private struct Order {
        var second: Int64
        var payload: String
        var outcome: String

        init(_ second: Int64, _ payload: String, _ outcome: String) {
            self.second = second
            self.payload = payload
            self.outcome = outcome
        }
    }

    /// Of the ids, o-1, o-2 and o-3 are in the sample and o-5 is not, by the hash that `sample` documents.
    private static let orders: [Order] = [
        Order(1, #"{"order_id":"o-1","status":"open","customer":{"id":"c1"},"amount":10}"#, "applied"),
        Order(
            2, #"{"status":"open","order_id":"o-1","customer":{"id":"c1"},"amount":99}"#, "skipped | duplicate"),
        Order(
            3,
            #"{"order_id":"o-1","status":"p\u0061id","customer":{"id":"c1"},"amount":20,"paid_at":\#(now + 5000)}"#,
            "applied"),
        Order(4, #"{"order_id":"o-2","status":"open","customer":{"id":"c1"}}"#, "skipped | throttled"),
        Order(5, #"{"order_id":"o-5","status":"open","customer":{"id":"c2"}}"#, "skipped | not_sampled"),
        Order(6, #"{"order_id":"o-3","status":"draft","amount":"5000"}"#, "skipped | draft"),
        Order(
            7, #"{"order_id":"o-3","status":"gone"}"#,
            #"dropped | invalid_event | validate: status: unsupported value "gone" (one of open, paid)"#),
        Order(
            8, #"{"order_id":"o-x","status":"open"}"#,
            #"dropped | invalid_event | validate: order_id: "o-x" does not match the pattern [a-z]-[0-9]+"#),
        Order(
            9, #"{"order_id":"o-12345","status":"open"}"#,
            #"dropped | invalid_event | validate: order_id: "o-12345" has 7 characters (at most 6)"#),
        Order(
            10, #"{"order_id":"o-3","status":"paid","amount":null}"#,
            "dropped | invalid_event | validate: amount: missing (required if status: paid)"),
        Order(
            11, #"{"order_id":"o-3","status":"paid","amount":2000}"#,
            "dropped | invalid_event | validate: amount: 2000 is out of range (0 to 1000)"),
        Order(
            12, #"{"order_id":"o-3","status":"paid","amount":5,"paid_at":"\#(now + 5001)"}"#,
            "dropped | invalid_event | validate: paid_at: \(now + 5001) is 5001 ms in the future (at most 5s)"),
        Order(
            13, #"{"order_id":"#,
            "dropped | malformed_event | decode order: payload: invalid JSON at byte 12: expected a value, found "
                + "the end of the text"
        ),
        Order(
            14, #"{"order_id":["o-1"],"status":"open"}"#,
            "dropped | malformed_event | decode order: order_id: expected a string, a number, true or false, found "
                + "a list"
        ),
        Order(
            15, #"{"order_id":"o-3","status":"open","customer":{"id":"c3","name":"x"}}"#,
            #"dropped | malformed_event | decode order: unsupported field "customer.name""#),
        // Half a minute has given the customer one more; the dropped event was seen by dedupe, as another status.
        Order(40, #"{"order_id":"o-2","status":"paid","customer":{"id":"c1"},"amount":7}"#, "applied"),
        Order(41, #"{"order_id":"o-2","status":"open","customer":{"id":"c9"}}"#, "skipped | duplicate"),
        // More than ten minutes after the first.
        Order(602, #"{"order_id":"o-1","status":"open","customer":{"id":"c1"},"amount":30}"#, "applied"),
    ]

    @Test(
        "Each entry has the expected outcome, and the store and metrics hold the remaining ones",
        arguments: [1, 128])
    func all(readCount: Int) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for order in Self.orders {
                    let id = "\(Self.start + order.second * 1000)-0"
                    let reply = try await connection.command(
                        RESPCommand("XADD", "shop:orders", id, "payload", order.payload))
                    #expect(reply.string == id)
                }
            }
            let (outcomes, metrics) = (Outcomes(), RecordingMetrics())
            let pipeline = try Pipeline(
                text: Array(Self.file.utf8), file: "shop.yaml", environment: ["REDIS_ADDRESS": "\(server.address)"],
                overrides: [Override("source.redis_stream.read_count=\(readCount)")].compactMap(\.self),
                catalogue: .standard,
                services: PipelineServices(
                    logger: quiet, metrics: metrics, clock: WallClock { Self.now }, makeObserver: { outcomes }))
            let source = pipeline.source
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pipeline.run() }
                defer { source.stop() }
                try await eventually("all read") { outcomes.lines.count >= Self.orders.count }
                source.stop()
                try await group.waitForAll()
            }
            #expect(outcomes.lines == Self.orders.map(\.outcome))
            #expect(pipeline.statistics.read == UInt64(Self.orders.count))
            #expect(
                metrics.counters == [
                    "orders{status=\"open\"}": 2, "orders{status=\"paid\"}": 2, "revenue": 67,
                    "broken{reason=\"malformed_event\"}": 3,
                ])
            #expect(metrics.values["amounts{customer_id=\"c1\"}"] == [10, 20, 7, 30])
            #expect(metrics.values["last_amount"]?.last == 30)
            try self.checkStore(#require(pipeline.stores["orders"]))
        }
    }

    private func checkStore(_ store: any SnapshotStore) throws {
        #expect(store.count == 2)
        let first = try #require(store.snapshot(for: "o-1"))
        let fields = Dictionary(uniqueKeysWithValues: first.fields.map { ($0.name, first[$0.name] ?? "") })
        #expect(
            fields == [
                "order_id": "o-1", "status": "open", "amount": "30", "customer_id": "c1", "label": "c1:o-1",
                "channel": "web",
            ])
        #expect(first.integer("amount") == 30)
        let second = try #require(store.snapshot(for: "o-2"))
        #expect(second["label"] == "c1:o-2")
        #expect(second["status"] == "paid")
        #expect(second["paid_at"] == nil)
    }
}
