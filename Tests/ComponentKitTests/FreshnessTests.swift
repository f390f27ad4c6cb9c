import ComponentKit
import Testing

@Suite struct FreshnessTests {
    @Test("Without a limit, freshness never expires, and lookups are refused only during a fill")
    func unlimited() {
        let freshness = Freshness()
        #expect(!freshness.isStale && freshness.staleness == nil && freshness.age == nil)
        freshness.setFilling(true)
        #expect(freshness.isStale && freshness.isBeingFilled && freshness.staleness == .filling)
        freshness.setFilling(false)
        #expect(!freshness.isStale && !freshness.isBeingFilled)
    }

    @Test("With a limit, lookups are refused before the first confirmation and if the last one is too old")
    func limited() throws {
        let freshness = Freshness()
        freshness.setLimit(.seconds(3600))
        #expect(freshness.staleness == .noNews(age: nil, limit: .seconds(3600)))
        freshness.prove(at: .now)
        #expect(!freshness.isStale)
        #expect(try #require(freshness.age) < .seconds(3600))
        let old = Freshness()
        old.setLimit(.seconds(3600))
        old.prove(at: .now - .seconds(7200))
        guard case .noNews(.some(let age), .seconds(3600)) = old.staleness else {
            Issue.record("\(String(describing: old.staleness))")
            return
        }
        #expect(age >= .seconds(7200))
        #expect(old.staleness?.description.contains("more than max_staleness 1h") == true)
    }

    @Test("A proof older than the last one changes nothing")
    func order() throws {
        let freshness = Freshness()
        freshness.setLimit(.seconds(3600))
        freshness.prove(at: .now)
        freshness.prove(at: .now - .seconds(7200))
        #expect(!freshness.isStale)
    }
}
