import CoreMetrics

/// The counters of a door.
struct GatewayMetrics: Sendable {
    /// Why a request or a connection gets no decision.
    enum Refusal: String, CaseIterable, Sendable {
        /// The request does not carry the token.
        case unauthorized
        /// The request is not HTTP, or not RESP.
        case malformed
        /// The headers exceed their limits.
        case headers
        /// The body exceeds its limit.
        case body
        /// The command has too many or too long arguments.
        case arguments
        /// The client has not taken invalidations or messages, and is closed.
        case slow
        /// The door has its maximum number of connections.
        case connections

        /// The reasons of the HTTP door.
        static let http: [Refusal] = [.unauthorized, .malformed, .headers, .body, .connections]
        /// The reasons of the Redis door.
        static let redis: [Refusal] = [.unauthorized, .malformed, .arguments, .slow, .connections]
    }

    private let decisions: [any CounterHandler]
    private let refusals: [Refusal: any CounterHandler]
    private let latency: any TimerHandler

    /// Creates the counters of a door that refuses for these reasons.
    init(_ factory: any MetricsFactory, door: String, refusals: [Refusal]) {
        self.decisions = GatewayDecision.allCases.map {
            factory.makeCounter(
                label: "sluice_gateway_decisions", dimensions: [("door", door), ("decision", $0.name)])
        }
        self.refusals = Dictionary(
            uniqueKeysWithValues: refusals.map {
                let dimensions = [("door", door), ("reason", $0.rawValue)]
                return ($0, factory.makeCounter(label: "sluice_gateway_refusals", dimensions: dimensions))
            })
        self.latency = factory.makeTimer(label: "sluice_gateway", dimensions: [("door", door)])
    }

    /// Counts a decision and the time from the request's head to the response.
    func count(_ decision: GatewayDecision, nanoseconds: Int64) {
        self.decisions[decision.rawValue].increment(by: 1)
        self.latency.recordNanoseconds(nanoseconds)
    }

    /// Counts requests or connections without a decision.
    func count(_ refusal: Refusal, by amount: Int = 1) {
        self.refusals[refusal]?.increment(by: Int64(amount))
    }

    /// Counts decisions, by raw value.
    func count(decisions: [Int]) {
        for (decision, count) in zip(self.decisions, decisions) where count > 0 { decision.increment(by: Int64(count)) }
    }

    /// Counts the time from a read of requests to their replies.
    func record(nanoseconds: Int64) {
        self.latency.recordNanoseconds(nanoseconds)
    }
}

/// The counters that only the Redis door has.
struct RedisMetrics: Sendable {
    /// The counters that all doors have.
    let door: GatewayMetrics
    private let commands: any CounterHandler
    private let connections: any MeterHandler

    /// Creates the counters.
    init(_ factory: any MetricsFactory) {
        let dimensions = [("door", "redis")]
        self.door = GatewayMetrics(factory, door: "redis", refusals: GatewayMetrics.Refusal.redis)
        self.commands = factory.makeCounter(label: "sluice_gateway_commands", dimensions: dimensions)
        self.connections = factory.makeMeter(label: "sluice_gateway_connections", dimensions: dimensions)
    }

    /// Counts the commands of a read.
    func count(_ tally: RedisTally, nanoseconds: Int64) {
        self.commands.increment(by: Int64(tally.commands))
        if tally.hasDecisions { self.door.count(decisions: tally.decisions) }
        if tally.unauthorized > 0 { self.door.count(.unauthorized, by: tally.unauthorized) }
        self.door.record(nanoseconds: nanoseconds)
    }

    /// Sets the number of open connections.
    func setConnections(_ count: Int) {
        self.connections.set(Int64(count))
    }
}
