import Testing

@testable import Admin

@Suite struct CounterSeriesTests {
    @Test("A counter stops at the end of 64 bits instead of going negative")
    func saturation() {
        let series = CounterSeries()
        for _ in 0..<3 {
            series.increment(by: Int64.max)
            #expect(series.text == "9223372036854775807")
        }
        series.reset()
        series.increment(by: Int64(7))
        #expect(series.text == "7")
    }
}
