import StageKit

/// The open windows of a stream. Pure: time is that of the events.
///
/// A window with the key `k` contains the events with that key whose time is at least its start and before its end. It
/// is closed when the time of the stream, which is that of the newest event, is at least its end plus the lateness; no
/// event can be added afterwards.
struct WindowTable: Sendable, Equatable {
    /// The rules of a table.
    struct Rules: Sendable, Equatable {
        /// The length of a window in milliseconds.
        var size: Int64
        /// How long a window stays open after its end, in milliseconds.
        var lateness: Int64
        /// The functions of the values.
        var functions: [Measure.Function]
        /// The maximum number of open windows, counted for each key.
        var groups: Int
        /// The maximum number of different values in a window.
        var distinct: Int
    }

    /// An event.
    struct WindowEvent: Sendable {
        /// Its id. Elements of one entry have different ones.
        var id: EventID
        /// Its time in milliseconds since the epoch.
        var time: Int64
        /// The time of the stream when the entry was added; greater than `time` if the entry is a replayed one.
        var clock: Int64
        /// Its key.
        var key: [UInt8]
        /// The sample for each measure; `nil` if the event does not have the field.
        var samples: [Sample?]
    }

    /// A window that was closed.
    struct Closed: Sendable, Equatable {
        /// The start in milliseconds since the epoch.
        var start: Int64
        /// The key.
        var key: [UInt8]
        /// The values.
        var values: [Accumulator]
    }

    /// The reason why an event cannot be added; the table is unchanged.
    enum Refusal: Error, Equatable {
        /// The window that began at this time is closed.
        case late(start: Int64)
        /// There are as many open windows as allowed.
        case full
        /// The sum of the value with this index would be out of range.
        case overflow(Int)
    }

    /// The maximum number of different values that are remembered in all windows together: at most 64 MB of memory.
    static let distinctTotal = 4_000_000

    /// The rules.
    let rules: Rules
    /// The time of the newest event, or `nil` before the first.
    var newest: Int64?
    /// The id of the last event that was added, or `nil` before the first. All events up to it are contained, or were
    /// refused. If it is that of an element, the later elements of its entry may be missing.
    var last: EventID?
    /// The values of the open windows by start and key.
    private(set) var windows: [Int64: [[UInt8]: [Accumulator]]] = [:]
    /// The number of open windows, counted for each key.
    private(set) var groupCount = 0
    /// The number of different values that are remembered.
    private(set) var distinctCount = 0
    /// The start of the earliest open window.
    private var earliest = Int64.max

    /// Creates a table without windows.
    init(_ rules: Rules) {
        self.rules = rules
    }

    /// Adds an event, unless the table contains it already; returns the windows that it closes, in the order of
    /// their starts and keys.
    mutating func add(_ entry: WindowEvent) throws(Refusal) -> [Closed] {
        if let last = self.last, entry.id <= last { return [] }
        let start = self.start(of: entry.time)
        let newest = max(self.newest ?? entry.clock, entry.clock)
        if self.isClosed(start, at: newest) { throw .late(start: start) }
        let closing = self.closing(at: newest)
        if try !self.hasGroup(accepting: entry, start) {
            let freed = closing.reduce(0) { $0 + (self.windows[$1]?.count ?? 0) }
            guard self.groupCount - freed < self.rules.groups else { throw .full }
        }
        // Nothing is refused from here on.
        let closed = closing.flatMap { self.close($0) }
        if !closing.isEmpty { self.earliest = self.windows.keys.min() ?? .max }
        self.newest = newest
        self.last = entry.id
        self.insert(entry, start)
        return closed
    }

    /// Closes the windows that an entry with a time would close, and returns them.
    mutating func advance(to clock: Int64) -> [Closed] {
        let closing = self.closing(at: clock)
        if closing.isEmpty { return [] }
        self.newest = max(self.newest ?? clock, clock)
        let closed = closing.flatMap { self.close($0) }
        self.earliest = self.windows.keys.min() ?? .max
        return closed
    }

    /// Adds an open window that was saved.
    mutating func restore(_ window: Closed) {
        self.windows[window.start, default: [:]][window.key] = window.values
        self.groupCount += 1
        self.distinctCount += window.values.reduce(0) { $0 + $1.seen.count }
        self.earliest = min(self.earliest, window.start)
    }

    /// The open windows in the order of their starts and keys.
    var open: [Closed] { self.windows.keys.sorted().flatMap { self.content($0) } }

    // MARK: Times

    private func start(of time: Int64) -> Int64 {
        let rest = time % self.rules.size
        return time - (rest < 0 ? rest + self.rules.size : rest)
    }

    private func isClosed(_ start: Int64, at newest: Int64) -> Bool {
        start + self.rules.size + self.rules.lateness <= newest
    }

    /// The starts of the windows that an event of a time closes.
    private func closing(at newest: Int64) -> [Int64] {
        guard self.earliest != .max, self.isClosed(self.earliest, at: newest) else { return [] }
        return self.windows.keys.filter { self.isClosed($0, at: newest) }.sorted()
    }

    // MARK: Windows

    private func content(_ start: Int64) -> [Closed] {
        (self.windows[start] ?? [:]).sorted { $0.key.lexicographicallyPrecedes($1.key) }.map {
            Closed(start: start, key: $0.key, values: $0.value)
        }
    }

    private mutating func close(_ start: Int64) -> [Closed] {
        let closed = self.content(start)
        self.windows[start] = nil
        self.groupCount -= closed.count
        self.distinctCount -= closed.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.seen.count } }
        return closed
    }

    /// Returns whether the window of an event is open. (The values are not copied here, so that they change in place.)
    private func hasGroup(accepting entry: WindowEvent, _ start: Int64) throws(Refusal) -> Bool {
        guard let group = self.windows[start]?[entry.key] else { return false }
        for (index, sample) in entry.samples.enumerated() {
            if let sample, !group[index].accepts(sample, self.rules.functions[index]) { throw .overflow(index) }
        }
        return true
    }

    private mutating func insert(_ entry: WindowEvent, _ start: Int64) {
        let empty = Array(repeating: Accumulator(), count: self.rules.functions.count)
        if self.windows[start]?[entry.key] == nil {
            self.windows[start, default: [:]][entry.key] = empty
            self.groupCount += 1
            self.earliest = min(self.earliest, start)
        }
        for (index, sample) in entry.samples.enumerated() {
            guard let sample else { continue }
            let room = Self.distinctTotal - self.distinctCount
            let added = self.windows[start]?[entry.key]?.add(
                sample, self.rules.functions[index], at: index, limit: self.rules.distinct, room: room)
            self.distinctCount += added ?? 0
        }
    }
}

extension [Accumulator] {
    /// Adds a sample in place; returns the number of different values that are remembered in addition.
    fileprivate mutating func add(
        _ sample: Sample, _ function: Measure.Function, at index: Int, limit: Int, room: Int
    ) -> Int {
        let before = self[index].seen.count
        self[index].add(sample, function, room: Swift.min(limit - before, room))
        return self[index].seen.count - before
    }
}
