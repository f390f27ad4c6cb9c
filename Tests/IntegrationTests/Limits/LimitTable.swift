import Foundation
import StageKit
import Synchronization

/// The table of `make limits`: what a worker does against a slow, a large and a hostile peer.
enum LimitTable {
    /// The parts of the table, in their order.
    enum Part: String, CaseIterable {
        case slow, large, hostile
    }

    private static let rows = Mutex<[(part: Part, row: String)]>([])
    private static let path = ProcessInfo.processInfo.environment["SLUICE_LIMITS"]

    /// Whether the table is wanted: its tests take minutes and are not part of `make test`.
    static var isWanted: Bool { self.path != nil }

    /// Adds a row for a case that has passed, and writes the table.
    ///
    /// - Parameters:
    ///   - peer: What the peer is or does.
    ///   - seen: What the worker did.
    static func add(_ part: Part, _ peer: String, _ seen: String) throws {
        guard let path = self.path else { return }
        try self.rows.withLock { rows in
            rows.append((part, "| \(part.rawValue) | \(peer) | \(seen) |"))
            let head = ["| | peer | what the worker did |", "| --- | --- | --- |"]
            let sorted = Part.allCases.flatMap { part in rows.filter { $0.part == part }.map(\.row) }
            try Data((head + sorted).joined(separator: "\n").appending("\n").utf8).write(to: URL(fileURLWithPath: path))
        }
    }

    /// A time for the table; no test depends on it.
    static func seconds(since start: ContinuousClock.Instant) -> String {
        String(format: "%.1f s", (ContinuousClock.now - start).seconds)
    }
}
