import RedisStreams
import Synchronization

/// What many lives came to.
struct Tally: Sendable, CustomStringConvertible {
    /// How many were lived.
    var lives = 0
    /// How many ended with everything right.
    var right = 0
    /// How many were ended by a gap, as their settings say.
    var halted = 0
    /// How many met what no version can tell.
    var untellable = 0
    /// Entries that were handed to the stages.
    var entries = 0
    /// Effects of the stage behind the store, and attempts that failed.
    var effects = 0
    var failedEffects = 0
    /// Gaps that were told, by kind.
    var gaps: [GapKind: Int] = [:]
    /// The lives that broke a promise, by their seeds.
    var broken: [UInt64: String] = [:]

    /// Adds what other lives came to.
    mutating func add(_ other: Tally) {
        self.lives += other.lives
        self.right += other.right
        self.halted += other.halted
        self.untellable += other.untellable
        self.entries += other.entries
        self.effects += other.effects
        self.failedEffects += other.failedEffects
        self.gaps.merge(other.gaps, uniquingKeysWith: +)
        self.broken.merge(other.broken) { one, _ in one }
    }

    /// Some lines for a person.
    var description: String {
        let kinds = GapKind.allCases.map { "\($0.rawValue) \(self.gaps[$0] ?? 0)" }.joined(separator: ", ")
        return """
            \(self.lives) lives: \(self.right) right at their end, \(self.halted) halted as told to, \
            \(self.untellable) met what cannot be told
            \(self.entries) entries handed to the stages; gaps told: \(kinds)
            \(self.effects) entries had their effect, \(self.failedEffects) attempts failed
            """
    }
}

/// Many lives.
enum Simulation {
    /// Lives that one task takes at once.
    private static let share: UInt64 = 500
    /// Lives between two words on how far it is.
    private static let interval = 100_000

    /// What all tasks have come to, and the next life that nobody has taken.
    private final class Totals: Sendable {
        let state = Mutex((tally: Tally(), next: UInt64(0)))
    }

    /// Lives so many lives, beginning with a seed; ends early when `limit` of them have broken a promise.
    static func run(
        lives: Int, from first: UInt64, jobs: Int, bug: PlantedBug? = nil, limit: Int = 1,
        _ progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws -> Tally {
        let totals = Totals()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<max(1, jobs) {
                group.addTask {
                    while true {
                        let start = totals.state.withLock { total in
                            defer { total.next += Self.share }
                            return total.tally.broken.count < limit ? total.next : .max
                        }
                        if start >= UInt64(lives) { return }
                        let end = min(UInt64(lives), start + Self.share)
                        let tally = await self.live(first + start..<first + end, bug, limit)
                        let (before, after) = totals.state.withLock { total in
                            let before = total.tally.lives
                            total.tally.add(tally)
                            return (before, total.tally.lives)
                        }
                        if before / Self.interval != after / Self.interval { progress(after) }
                    }
                }
            }
        }
        return totals.state.withLock { $0.tally }
    }

    private static func live(_ seeds: Range<UInt64>, _ bug: PlantedBug?, _ limit: Int) async -> Tally {
        var tally = Tally()
        for seed in seeds {
            let life = Life(seed: seed, bug: bug)
            tally.lives += 1
            do {
                switch try await life.run() {
                case .right: tally.right += 1
                case .halted: tally.halted += 1
                case .untellable: tally.untellable += 1
                }
            } catch {
                tally.broken[seed] = "\(error)"
            }
            tally.entries += life.handedOn
            tally.effects += life.effects.done.count
            tally.failedEffects += life.failedEffects
            tally.gaps.merge(life.gaps, uniquingKeysWith: +)
            if tally.broken.count >= limit { break }
        }
        return tally
    }
}
