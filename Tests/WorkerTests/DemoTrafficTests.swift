import StageKit
import Testing

@testable import Worker

@Suite struct DemoTrafficTests {
    /// What an event is, as the pipeline would see it.
    private enum Kind: String, CaseIterable {
        case login, change, revocation, missingUser, unknownField, badNumber, badStatus, blankKey
    }

    private func flow(seed: UInt64, _ count: Int) -> [DemoTraffic.Fields] {
        var traffic = DemoTraffic(seed: seed)
        return (0..<count).map { traffic.next(now: 1_700_000_000_000 + UInt64($0)) }
    }

    private func text(_ fields: DemoTraffic.Fields) -> String {
        fields.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }

    private func kind(_ fields: DemoTraffic.Fields, _ known: inout Set<String>) -> Kind {
        let values = Dictionary(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        if values["user_id"] == nil { return .missingUser }
        if values["colour"] != nil { return .unknownField }
        if let time = values["revoked_at_ms"], Int64(time) == nil { return .badNumber }
        if values["client_public_key"] == " " { return .blankKey }
        switch values["status"] {
        case "revoked": return .revocation
        case "active": return known.insert(values["device_session_id"] ?? "").inserted ? .login : .change
        default: return .badStatus
        }
    }

    @Test("The same seed gives the same flow, another seed another one")
    func deterministic() {
        let flow = self.flow(seed: 1, 2000).map(self.text)
        #expect(flow == self.flow(seed: 1, 2000).map(self.text))
        #expect(flow != self.flow(seed: 2, 2000).map(self.text))
    }

    @Test("Every kind of event occurs, valid ones far more often than invalid ones", arguments: [1, 2, 3])
    func kinds(seed: UInt64) {
        var known: Set<String> = []
        var counts: [Kind: Int] = [:]
        for fields in self.flow(seed: seed, 20_000) { counts[self.kind(fields, &known), default: 0] += 1 }
        for kind in Kind.allCases { #expect(counts[kind, default: 0] > 0, "\(kind)") }
        let good = counts[.login, default: 0] + counts[.change, default: 0] + counts[.revocation, default: 0]
        #expect(good > 19_000 && good < 20_000)
        #expect(counts[.login, default: 0] > counts[.revocation, default: 0])
    }

    @Test("A revocation has a time and ends a session that had logged in")
    func revocations() {
        var live: Set<String> = []
        var revocations = 0
        for (index, fields) in self.flow(seed: 4, 20_000).enumerated() {
            var known: Set<String> = []
            let (kind, id) = (self.kind(fields, &known), fields.first { $0.name == "device_session_id" }?.value ?? "")
            switch kind {
            case .login, .change: live.insert(id)
            case .revocation:
                revocations += 1
                #expect(live.remove(id) != nil, "\(id)")
                #expect(fields.last?.value == "\(1_700_000_000_000 + index)")
            default: #expect(live.isEmpty || live.contains(id))
            }
        }
        #expect(revocations > 1000)
    }

    @Test("The number of sessions stays bounded however long the demo runs")
    func bounded() {
        var live: Set<String> = []
        for fields in self.flow(seed: 5, 80_000) {
            guard fields.count >= 4, let status = fields.first(where: { $0.name == "status" })?.value else { continue }
            if status == "active", fields.count == 4 { live.insert(fields[0].value) }
            if status == "revoked" { live.remove(fields[0].value) }
        }
        #expect(live.count > 1000 && live.count <= 20_001)
    }

    @Test("Latencies are measured from sending to outcome, once per sent entry")
    func meter() {
        let meter = DemoMeter()
        #expect(meter.latency() == nil)
        meter.settled(.zero)
        #expect(meter.latency() == nil)
        meter.sending([.zero])
        meter.settled(.zero)
        let latency = meter.latency()
        #expect(latency.map { $0.p50 <= $0.p99 && $0.p99 <= $0.max } == true)
        meter.settled(.zero)
        #expect(meter.latency()?.max == latency?.max)
    }
}
