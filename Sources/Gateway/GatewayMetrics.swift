import CoreMetrics

/// The counters of a door.
struct GatewayMetrics: Sendable {
    /// Why a request or a connection gets no decision.
    enum Refusal: String, CaseIterable, Sendable {
        /// The request does not carry the token.
        case unauthorized
        /// The request is not HTTP.
        case malformed
        /// The headers exceed their limits.
        case headers
        /// The body exceeds its limit.
        case body
        /// The door has its maximum number of connections.
        case connections
    }

    private let decisions: [any CounterHandler]
    private let refusals: [Refusal: any CounterHandler]
    private let latency: any TimerHandler

    /// Creates the counters of a door.
    init(_ factory: any MetricsFactory, door: String) {
        self.decisions = GatewayDecision.allCases.map {
            factory.makeCounter(
                label: "sluice_gateway_decisions", dimensions: [("door", door), ("decision", $0.name)])
        }
        self.refusals = Dictionary(
            uniqueKeysWithValues: Refusal.allCases.map {
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

    /// Counts a request or a connection without a decision.
    func count(_ refusal: Refusal) {
        self.refusals[refusal]?.increment(by: 1)
    }
}
