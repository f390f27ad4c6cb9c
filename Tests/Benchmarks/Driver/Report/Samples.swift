/// What one number was in each round.
struct Samples: Sendable, Equatable {
    /// The values in the order of the rounds; never empty.
    let values: [Double]

    /// Takes the values of the rounds; nil where there is none.
    init?(_ values: [Double]) {
        if values.isEmpty { return nil }
        self.values = values
    }

    /// The middle value, the mean of the two in the middle where their number is even.
    var median: Double {
        let sorted = self.values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The smallest value.
    var minimum: Double { self.values.min() ?? .nan }

    /// The largest value.
    var maximum: Double { self.values.max() ?? .nan }
}

extension Samples: Codable {
    private enum CodingKeys: String, CodingKey {
        case median, minimum, maximum, rounds
    }

    /// Writes the values with what a reader would compute of them.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.median, forKey: .median)
        try container.encode(self.minimum, forKey: .minimum)
        try container.encode(self.maximum, forKey: .maximum)
        try container.encode(self.values, forKey: .rounds)
    }

    /// Reads the values back.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.values = try container.decode([Double].self, forKey: .rounds)
        if self.values.isEmpty {
            throw DecodingError.dataCorruptedError(
                forKey: .rounds, in: container, debugDescription: "no rounds")
        }
    }
}
