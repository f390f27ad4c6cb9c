import CoreMetrics
import StageKit

/// Counts by label values: plain numbers while a batch is worked on, handed to the metrics system at its end.
///
/// What is touched for every event is plain memory, made once, never grown and freed with the sets: `pending` has a
/// number for each set there can be, `recent` room for `recentLimit` keys.
@safe
final class LabelSets {
    /// Sets of values told apart: each is a time series for whoever collects the metrics, for as long as the worker runs.
    static let limit = 100
    /// Stands for values beyond the limits.
    static let other = "other"
    /// Keys that are compared before any is looked up: most events have one of few values.
    private static let recentLimit = 4

    private struct Counts {
        var values: [String]
        var counter: Counter?
    }

    /// A key counted lately.
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
    /// The one of `recent` that the next key to be looked up takes.
    private var oldest = 0

    /// Makes room for keys of up to so many bytes.
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

    /// Adds one to the set with the key that was read last.
    func count(_ key: LabelKey) {
        let index = self.index(of: key)
        unsafe self.pending[index] += 1
    }

    /// Adds an amount to the set with the key that was read last; at the end of 64 bits it stops.
    func add(_ amount: Int64, _ key: LabelKey) {
        let index = self.index(of: key)
        let (sum, overflow) = unsafe self.pending[index].addingReportingOverflow(amount)
        unsafe self.pending[index] = overflow ? .max : sum
    }

    /// The values of a set, by its number.
    subscript(index: Int) -> [String] { self.sets[index].values }

    /// The number of the set with the key that was read last, at most `limit`.
    @inline(__always)
    func index(of key: LabelKey) -> Int {
        // Used within this call, while the key stays as it is.
        let bytes = unsafe key.bytes
        for index in 0..<LabelSets.recentLimit where unsafe self.recent[index].length == bytes.count {
            let known = unsafe UnsafeBufferPointer(rebasing: self.recentKeys[self.place(index, bytes.count)])
            if unsafe known.span.hasSameBytes(as: bytes.span) { return unsafe self.recent[index].index }
        }
        return unsafe self.seldomIndex(bytes)
    }

    /// Hands over what was counted since the last time.
    ///
    /// - Parameter makeCounter: Makes the counter of a set, from the values of its key.
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

    /// Where a recent key's bytes are.
    private func place(_ index: Int, _ length: Int) -> Range<Int> {
        (index * self.keyCapacity)..<(index * self.keyCapacity + length)
    }

    /// The index of a new set, or of the one that takes all beyond the limit.
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
