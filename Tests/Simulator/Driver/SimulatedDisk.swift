import Checkpoints
import Synchronization

/// A disk with one checkpoint on it, which outlives a worker that crashes, and can be full.
final class SimulatedDisk: CheckpointStorage {
    /// What it does when a new version is complete.
    enum Mood: Sendable {
        /// Keeps it.
        case fine
        /// Refuses to take more bytes.
        case full
        /// The machine stops before the new version takes the old one's place.
        case stopsBefore
    }

    /// Why bytes are not taken.
    struct Refusal: Error {}

    private struct State {
        var bytes: [UInt8]?
        var mood = Mood.fine
        var isDeciding = false
        var versions = 0
        var isStopped = false
    }

    private let state = Mutex(State())

    /// What an operator knows it as.
    let name = "disk"

    /// Has nothing on it.
    init() {}

    /// What happens to the next version.
    func set(_ mood: Mood) { self.state.withLock { $0.mood = mood } }

    /// Whether it is being decided if a complete version is kept: nothing else may happen meanwhile.
    var isDeciding: Bool { self.state.withLock { $0.isDeciding } }

    /// How many versions were kept.
    var versions: Int { self.state.withLock { $0.versions } }

    /// Whether the machine has stopped since this was asked last.
    func takeStop() -> Bool {
        self.state.withLock { state in
            defer { state.isStopped = false }
            return state.isStopped
        }
    }

    /// Whether there is a checkpoint.
    var isKept: Bool { self.state.withLock { $0.bytes != nil } }

    /// Cuts what is kept short, or changes one of its bytes; returns whether there was anything.
    func damage(at place: Int, cuts: Bool) -> Bool {
        self.state.withLock { state in
            guard let bytes = state.bytes, !bytes.isEmpty else { return false }
            let index = place % bytes.count
            if cuts { state.bytes = Array(bytes[..<index]) } else { state.bytes?[index] ^= 0x20 }
            return true
        }
    }

    /// Reads what is kept.
    func read<R>(_ body: (_ read: @escaping (Int) throws -> [UInt8]) throws -> R) throws -> R? {
        guard let bytes = self.state.withLock({ $0.bytes }) else { return nil }
        var start = 0
        return try body { count in
            defer { start = min(bytes.count, start + count) }
            return Array(bytes[start..<min(bytes.count, start + count)])
        }
    }

    /// Takes a new version.
    func replace(
        _ body: (_ write: @escaping ([UInt8]) throws -> Void) throws -> Void,
        keeping decide: (_ keep: () throws -> Void) throws -> Void
    ) throws {
        let mood = self.state.withLock { $0.mood }
        var written: [UInt8] = []
        try body { piece in
            if mood == .full { throw Refusal() }
            written += piece
        }
        if mood == .stopsBefore {
            self.state.withLock { ($0.mood, $0.isStopped) = (.fine, true) }
            throw Refusal()
        }
        self.state.withLock { $0.isDeciding = true }
        defer { self.state.withLock { $0.isDeciding = false } }
        try decide {
            self.state.withLock { [written] in
                $0.bytes = written
                $0.versions += 1
            }
        }
    }

    /// Keeps the bytes as they are.
    func put(_ bytes: [UInt8]) throws { self.state.withLock { $0.bytes = bytes } }

    /// Takes the checkpoint away.
    func remove() throws { self.state.withLock { $0.bytes = nil } }
}
