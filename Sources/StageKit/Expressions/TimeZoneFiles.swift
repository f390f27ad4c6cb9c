package import CEL
import Synchronization

/// Finds the offsets of named time zones in the machine's zone database. Reads the file of a zone when it is first
/// used.
package final class TimeZoneFiles: Sendable {
    /// The directory of the database on every Linux distribution.
    package static let directory = "/usr/share/zoneinfo"
    /// The maximum number of names that are remembered, known or not: a name may come from an event. A further one
    /// replaces all.
    private static let limit = 64

    private let directory: String
    private let zones = Mutex<[String: TimeZoneRules?]>([:])

    /// Creates an object that reads a database.
    package init(directory: String = TimeZoneFiles.directory) { self.directory = directory }

    /// Returns the offset of a zone, such as `Europe/Berlin`, in seconds east of UTC at a time in seconds since 1970.
    ///
    /// - Returns: `nil` if there is no such zone.
    package func offset(of name: String, at seconds: Int64) -> Int? {
        self.zones.withLock { zones in
            if let known = zones[name] { return known?.offset(at: seconds) }
            let rules = self.read(name)
            if zones.count >= Self.limit { zones.removeAll() }
            zones[name] = .some(rules)
            return rules?.offset(at: seconds)
        }
    }

    /// The lookup for the environment of expressions.
    package var lookup: ExpressionEnvironment.TimeZoneLookup {
        { self.offset(of: $0, at: $1) }
    }

    private func read(_ name: String) -> TimeZoneRules? {
        // A name must not leave the directory: no part is empty or has a dot.
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isName = parts.allSatisfy { part in
            (1...64).contains(part.utf8.count) && part.unicodeScalars.allSatisfy { Self.isAllowed($0) }
        }
        guard isName, parts.count <= 3 else { return nil }
        return (try? SecretFile.bytes("\(self.directory)/\(name)")).flatMap { TimeZoneRules(Array($0)) }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (scalar.properties.isAlphabetic || "0123456789_-+".unicodeScalars.contains(scalar))
    }
}
