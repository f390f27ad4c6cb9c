import CoreMetrics
import StageKit

/// Counts by label values: plain numbers while a batch is processed, passed to the metrics system at its end.
///
/// The memory that every event uses is allocated once, never grows and is freed with the sets: `pending` has a number
/// for each possible set, `recent` has capacity for `recentLimit` keys.
@safe
final class LabelSets {
    /// The maximum number of distinct sets: each one is a time series for as long as the worker runs.
    static let limit = 100
    /// Replaces values beyond the limits.
    static let other = "other"
    /// The number of keys that are compared before a hash lookup: most events have one of few values.
    private static let recentLimit = 4

    private struct Counts {
        var values: [String]
        var counter: Counter?
    }

    /// A recently counted key.
    private struct Recent: BitwiseCopyable {
        var length = -1
        var index = 0
    }

    private var indexes: [[UInt8]: Int] = [:]
    private var sets: [Counts] = []
    private var overflowIndex: Int?
    private let keyCapacity: Int
    private let pending: UnsafeMutableBufferPointer<Int64>
    private let recent: UnsafeMutableBufferPointer<Recent>
    private let recentKeys: UnsafeMutableBufferPointer<UInt8>
    /// The index in `recent` that the next hash lookup replaces.
    private var oldest = 0

    /// Creates sets for keys of at most this many bytes.
    init(keyCapacity: Int) {
        self.keyCapacity = keyCapacity
        unsafe self.pending = .allocate(capacity: LabelSets.limit + 1)
        unsafe self.pending.initialize(repeating: 0)
        unsafe self.recent = .allocate(capacity: LabelSets.recentLimit)
        unsafe self.recent.initialize(repeating: Recent())
        unsafe self.recentKeys = .allocate(capacity: LabelSets.recentLimit * keyCapacity)
        unsafe self.recentKeys.initialize(repeating: 0)
    }

    deinit {
        unsafe self.pending.deallocate()
        unsafe self.recent.deallocate()
        unsafe self.recentKeys.deallocate()
    }

    /// Adds one to the set of the key that was read last.
    func count(_ key: LabelKey) {
        let index = self.index(of: key)
        unsafe self.pending[index] += 1
    }

    /// Adds an amount to the set of the key that was read last; saturates at 64 bits.
    func add(_ amount: Int64, _ key: LabelKey) {
        let index = self.index(of: key)
        let (sum, overflow) = unsafe self.pending[index].addingReportingOverflow(amount)
        unsafe self.pending[index] = overflow ? .max : sum
    }

    /// Returns the values of a set, by its number.
    subscript(index: Int) -> [String] { self.sets[index].values }

    /// Returns the number of the set of the key that was read last, at most `limit`.
    @inline(__always)
    func index(of key: LabelKey) -> Int {
        // Used within this call, while the key does not change.
        let bytes = unsafe key.bytes
        for index in 0..<LabelSets.recentLimit where unsafe self.recent[index].length == bytes.count {
            let known = unsafe UnsafeBufferPointer(rebasing: self.recentKeys[self.place(index, bytes.count)])
            if unsafe known.span.hasSameBytes(as: bytes.span) { return unsafe self.recent[index].index }
        }
        return unsafe self.seldomIndex(bytes)
    }

    /// Passes on the counts since the last call.
    ///
    /// - Parameter makeCounter: Creates the counter of a set from the values of its key.
    func flush(_ makeCounter: (_ values: [String]) -> Counter) {
        for index in self.sets.indices where unsafe self.pending[index] > 0 {
            let counter = self.sets[index].counter ?? makeCounter(self.sets[index].values)
            counter.increment(by: unsafe self.pending[index])
            self.sets[index].counter = counter
            unsafe self.pending[index] = 0
        }
    }

    @inline(never)
    private func seldomIndex(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        let key = unsafe [UInt8](bytes)
        let index = self.indexes[key] ?? self.add(key)
        unsafe self.recent[self.oldest] = Recent(length: bytes.count, index: index)
        let place = self.place(self.oldest, bytes.count)
        _ = unsafe UnsafeMutableBufferPointer(rebasing: self.recentKeys[place]).update(from: bytes)
        self.oldest = (self.oldest + 1) % LabelSets.recentLimit
        return index
    }

    /// Returns the byte range of a recent key.
    private func place(_ index: Int, _ length: Int) -> Range<Int> {
        (index * self.keyCapacity)..<(index * self.keyCapacity + length)
    }

    /// Returns the index of a new set, or of the overflow set beyond the limit.
    private func add(_ key: [UInt8]) -> Int {
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
