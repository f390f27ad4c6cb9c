import Foundation
import Testing

@testable import SluiceBench

@Suite struct SamplesTests {
    @Test(
        "The median is the middle value, or the mean of the middle two",
        arguments: [([3.0, 1, 2], 2.0), ([4.0, 1, 3, 2], 2.5), ([7.0], 7.0)])
    func median(values: [Double], expected: Double) throws {
        let samples = try #require(Samples(values))
        #expect(samples.median == expected)
        #expect(samples.minimum == values.min())
        #expect(samples.maximum == values.max())
    }

    @Test("Without values there are no samples")
    func empty() {
        #expect(Samples([]) == nil)
    }

    @Test("JSON contains the rounds and the derived figures, and can be read back")
    func json() throws {
        let samples = try #require(Samples([3, 1, 2]))
        let data = try JSONEncoder().encode(samples)
        let raw = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(raw["median"] as? Double == 2)
        #expect(raw["rounds"] as? [Double] == [3, 1, 2])
        #expect(try JSONDecoder().decode(Samples.self, from: data) == samples)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(Samples.self, from: Data(#"{"rounds":[]}"#.utf8))
        }
    }

    @Test(
        "Numbers are formatted for people",
        arguments: [
            (1_234_567.4, "1,234,567"), (999.6, "1,000"), (45.64, "45.6"), (1.005, "1.00"), (0.1234, "0.123"),
            (0, "0.000"), (-1500, "-1,500"), (-0.25, "-0.250"), (.infinity, "-"),
        ])
    func figures(value: Double, expected: String) {
        #expect(Figures.text(value) == expected)
    }
}
