import Foundation
import Testing
import TextSupport
import YAML

@Suite struct YAMLMutationTests {
    /// Ten times as many for `make rounds`.
    private static let rounds = ProcessInfo.processInfo.environment["SLUICE_ROUNDS"] == nil ? 200 : 2000

    /// A file with everything a pipeline uses: comments, anchors, every style of text, flow and block.
    static let document = """
        # Keeps a gateway's session cache in step with a Redis stream.
        pipeline: session-subscriber
        redis: &redis
          address: ${REDIS_ADDRESS:-127.0.0.1:6379}
          password: "p\\u00e4ss \\"word\\""       # or password_file
          timeout: 250ms
        source:
          redis_stream: {stream: 'gateway:events', read_count: 0x80, start: ~}
        notes: |
          one
            two
        text: >-
          folded ünïcode 😀
          line
        stages:
          - decode:
              fields:
                device_session_id: { type: string, required: true }
                revoked_at_ms:     { type: int64 }
          - validate: { status: { one_of: [active, revoked] } }
          - upsert: *redis
        """

    /// Pieces that mean something to YAML, so that mutations get past the first check.
    static let pieces = [
        "\t", "\n", "\r", "\r\n", "  ", ": ", "- ", "? ", "&a ", "*a", "*redis", "!!str ", "!x ", "<<: ", "\"", "'",
        "[", "]", "{", "}", ",", "|", ">", "#", "%YAML 1.2\n", "---\n", "...\n", "\\", "é", "\u{FEFF}", "\u{2028}",
        "\0",
    ].map { Array($0.utf8) }

    /// Removes, repeats, inserts or overwrites one to four times.
    static func mutate(_ bytes: [UInt8], with random: inout SplitMix64) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let start = Int.random(in: 0..<bytes.count, using: &random)
            let end = min(bytes.count, start + Int.random(in: 1...24, using: &random))
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes.removeSubrange(start..<end)
            case 1: bytes.insert(contentsOf: bytes[start..<end], at: Int.random(in: 0...bytes.count, using: &random))
            case 2: bytes[start] = UInt8.random(in: 0...255, using: &random)
            case 3: bytes.removeSubrange(start...)
            default: bytes.insert(contentsOf: self.pieces.randomElement(using: &random) ?? [], at: start)
            }
        }
        return bytes
    }

    /// Scalars in each line; where the bytes are not UTF-8, each bad byte counts as at least one.
    static func lineLengths(_ bytes: [UInt8]) -> [Int] {
        var lengths = [0]
        var afterReturn = false
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            defer { afterReturn = scalar == "\r" }
            if scalar == "\n" && afterReturn { continue }
            if scalar == "\n" || scalar == "\r" { lengths.append(0) } else { lengths[lengths.count - 1] += 1 }
        }
        return lengths
    }

    /// The positions of a node and of all inside it.
    static func positions(_ node: YAMLNode) -> [YAMLPosition] {
        switch node.content {
        case .scalar: [node.position]
        case .sequence(let items): [node.position] + items.flatMap(self.positions)
        case .mapping(let pairs): [node.position] + pairs.flatMap { self.positions($0.key) + self.positions($0.value) }
        }
    }

    @Test(
        "A damaged file gives a tree or an error, and every position lies inside the file",
        arguments: 1...8 as ClosedRange<UInt64>)
    func mutations(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        let original = Array(Self.document.utf8)
        var read = 0
        var refused = 0
        for round in 0..<Self.rounds {
            let bytes = Self.mutate(original, with: &random)
            let positions: [YAMLPosition]
            do {
                positions = try YAMLParser.parse(bytes).map(Self.positions) ?? []
                read += 1
            } catch {
                positions = [error.position]
                refused += 1
                #expect(!error.message.isEmpty)
            }
            let lengths = Self.lineLengths(bytes)
            let outside = positions.filter { position in
                !(1...lengths.count).contains(position.line)
                    || !(1...(lengths[position.line - 1] + 1)).contains(position.column)
            }
            #expect(outside.isEmpty, "seed \(seed), round \(round): \(String(decoding: bytes, as: UTF8.self))")
        }
        // The mutations are worth something only if they reach both ends.
        #expect(read > Self.rounds / 50 && refused > Self.rounds / 50, "seed \(seed): \(read) read, \(refused) refused")
    }

    @Test("The file itself, undamaged, is read")
    func original() throws {
        #expect(try YAMLParser.parse(Self.document) != nil)
    }
}
