import CoreMetrics

/// Counts by label values: plain numbers while a batch is worked on, handed to the metrics system at its end.
struct LabelSets {
    /// Sets of values told apart: each is a time series for whoever collects the metrics, for as long as the worker runs.
    static let limit = 100
    /// Stands for values beyond the limits.
    static let other = "other"

    private struct Counts {
        var values: [String]
        var pending: Int64 = 0
        var counter: Counter?
    }

    private var indexes: [[UInt8]: Int] = [:]
    private var sets: [Counts] = []
    private var overflowIndex: Int?
    /// The set counted last, which is most often the next one too.
    private var lastKey: [UInt8] = []
    private var lastIndex: Int?

    /// Adds one to the set with this key.
    mutating func count(_ key: [UInt8]) {
        if let index = self.lastIndex, key == self.lastKey {
            self.sets[index].pending += 1
            return
        }
        let index = self.indexes[key] ?? self.add(key)
        self.sets[index].pending += 1
        self.lastIndex = index
        self.lastKey.removeAll(keepingCapacity: true)
        self.lastKey.append(contentsOf: key)
    }

    /// Hands over what was counted since the last time.
    ///
    /// - Parameter makeCounter: Makes the counter of a set, from the values of its key.
    mutating func flush(_ makeCounter: (_ values: [String]) -> Counter) {
        for index in self.sets.indices where self.sets[index].pending > 0 {
            let counter = self.sets[index].counter ?? makeCounter(self.sets[index].values)
            counter.increment(by: self.sets[index].pending)
            self.sets[index].counter = counter
            self.sets[index].pending = 0
        }
    }

    /// The index of a new set, or of the one that takes all beyond the limit.
    private mutating func add(_ key: [UInt8]) -> Int {
        let values = LabelKey.values(of: key)
        if self.indexes.count < LabelSets.limit {
            self.indexes[key] = self.sets.count
            self.sets.append(Counts(values: values))
            return self.sets.count - 1
        }
        if let index = self.overflowIndex { return index }
        self.overflowIndex = self.sets.count
        self.sets.append(Counts(values: values.map { _ in LabelSets.other }))
        return self.sets.count - 1
    }
}
