import Testing
import TextSupport

@testable import RESP

@Suite struct RESPFuzzTests {
    /// Bounds small enough that random lengths break them often.
    private static let limits = RESPLimits(
        bulkBytes: 4096, lineBytes: 256, arrayElements: 64, replyTokens: 256, replyBytes: 8192, nesting: 6,
        pendingBytes: 16384)
    /// What a reader may hold with these bounds: input, arena and tokens, the latter two with up to twice the room,
    /// once for the reply being read and once for each recycled one; what stands for a value left out has a few bytes.
    private static let heldBytes = 16384 + (1 + RESPReader.maximumRecycled) * 2 * (8192 + 256 * 12 + 256 * 8)
    /// The short samples: the long one would make up most of the work and none of the shapes.
    private static let seeds = samples.filter { $0.wire.count < 200 }
    /// Bytes with a meaning in RESP, so that mutations hit the grammar.
    private static let meaningful = Array("*$+-:\r\n0123456789%_>,#~=(|".utf8)

    /// A stream of some samples with up to eight mutations.
    private func stream(_ random: inout SplitMix64) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            bytes += Self.seeds.randomElement(using: &random)?.wire ?? []
        }
        for _ in 0..<Int.random(in: 0...8, using: &random) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[place] = Self.meaningful.randomElement(using: &random) ?? 0
            case 2: bytes.insert(Self.meaningful.randomElement(using: &random) ?? 0, at: place)
            case 3: bytes.remove(at: place)
            case 4: bytes.removeSubrange(place..<min(place + Int.random(in: 1...9, using: &random), bytes.count))
            default: bytes.insert(contentsOf: bytes[place...].prefix(20), at: place)
            }
        }
        return bytes
    }

    /// Reads a stream in random pieces; what came out, and the error it ended in.
    private func read(
        _ bytes: [UInt8], _ random: inout SplitMix64, pieces: Bool, _ longValues: RESPReader.LongValues = .refuse
    ) -> (values: [RESPValue], error: RESPError?, held: Int) {
        var reader = RESPReader(limits: Self.limits)
        reader.setLongValues(longValues)
        var values: [RESPValue] = []
        var start = 0
        var held = 0
        do throws(RESPError) {
            while start < bytes.count {
                let end = pieces ? min(start + Int.random(in: 1...24, using: &random), bytes.count) : bytes.count
                try readAll(Array(bytes[start..<end]), from: &reader, into: &values)
                start = end
                held = max(held, reader.heldBytes)
            }
            return (values, nil, held)
        } catch {
            return (values, error, max(held, reader.heldBytes))
        }
    }

    /// Streams of each seed: about a second of a debug build. `make fuzz` reads a million in release mode.
    private static let streams = 600

    @Test("Mutated streams never crash, stay within memory, and end alike however they are split", arguments: 0..<8)
    func mutations(seed: Int) {
        var random = SplitMix64(state: UInt64(seed))
        var failed = 0
        var finished = 0
        var wrong: [[UInt8]] = []
        for _ in 0..<Self.streams {
            let bytes = self.stream(&random)
            let longValues = [RESPReader.LongValues.refuse, .leaveOut, .leaveOutToFit][finished % 3]
            let cut = self.read(bytes, &random, pieces: true, longValues)
            let whole = self.read(bytes, &random, pieces: false, longValues)
            // Cut, a header can be refused before its end shows that it is no number: the kind may differ then.
            let alike = (cut.error == nil) == (whole.error == nil)
            if !alike || cut.held > Self.heldBytes || whole.held > Self.heldBytes
                || !Self.same(cut.values, whole.values)
            {
                wrong.append(bytes)
            }
            if cut.error == nil { finished += 1 } else { failed += 1 }
        }
        #expect(wrong.count == 0, "for example \(wrong.first ?? [])")
        // Both ways out are taken often, or the mutations are too tame or too wild to test anything.
        #expect(failed > Self.streams / 10 && finished > Self.streams / 10)
    }

    /// Whether two lists of values are equal; two doubles that are not numbers count as equal.
    private static func same(_ one: [RESPValue], _ two: [RESPValue]) -> Bool {
        one == two || "\(one)" == "\(two)"
    }

    @Test("Random bytes never crash")
    func noise() {
        var random = SplitMix64(state: 99)
        var errors = 0
        for _ in 0..<4000 {
            let bytes = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? Self.meaningful.randomElement(using: &random) ?? 0 : UInt8.random(in: 0...255, using: &random)
            }
            if self.read(bytes, &random, pieces: true).error != nil { errors += 1 }
        }
        #expect(errors > 2000)
    }
}
