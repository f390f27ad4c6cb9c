import RESP
import YAML

/// Something that reads bytes from outside, and what it is given.
protocol FuzzedInput: Sendable {
    /// How it is called.
    static var name: String { get }

    /// What inputs are made from: good ones, and ones nearly so, as `read` takes them.
    static var seeds: [[UInt8]] { get }

    /// Makes it ready.
    init() throws

    /// Makes one input out of the seeds.
    func make(_ random: inout Mutator) -> [UInt8]

    /// Reads one input; returns whether it was taken. What is refused is fine, what crashes, hangs or grows is not.
    mutating func read(_ bytes: [UInt8]) throws -> Bool
}

/// Replies of a server, in pieces; the first byte says how they are cut.
struct RESPInput: FuzzedInput {
    static let name = "RESP"
    static let seeds = replies.map { [7] + $0 }
    private static let replies = [
        "+OK\r\n", "-ERR no such key\r\n", ":42\r\n", "$-1\r\n", "*-1\r\n", "$5\r\nhello\r\n", "*0\r\n",
        "*2\r\n$1\r\na\r\n:-9223372036854775808\r\n",
        "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n",
        "*1\r\n*2\r\n$1\r\ns\r\n*3\r\n"
            + (1...3).map { "*2\r\n$3\r\n\($0)-0\r\n*4\r\n$1\r\nf\r\n$1\r\nv\r\n$2\r\ngh\r\n$0\r\n\r\n" }.joined(),
        "*2\r\n$4097\r\n" + String(repeating: "x", count: 4097) + "\r\n$5000\r\n",
        "*4\r\n$6\r\nlength\r\n:3\r\n$17\r\nlast-generated-id\r\n$3\r\n9-0\r\n",
    ].map { Array($0.utf8) }
    private static let meaningful = Array("*$+-:\r\n0123456789%_>,#~=(|".utf8)
    private static let limits = RESPLimits(
        bulkBytes: 4096, lineBytes: 256, arrayElements: 64, replyTokens: 256, replyBytes: 8192, nesting: 6,
        pendingBytes: 16384)

    init() {}

    func make(_ random: inout Mutator) -> [UInt8] {
        [UInt8(random.below(256))] + random.mutate(Self.replies, Self.meaningful, joined: 4, changes: 8)
    }

    /// Whether fields at the same position have the same name, in the reply to a read of one stream.
    private static func goByPosition(_ reply: RESPValue) -> Bool {
        guard let entries = reply.array?.first?.array?.last?.array else { return false }
        let names = entries.map { entry in
            (entry.array?.last?.array ?? []).enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
        }
        let longest = names.max { $0.count < $1.count } ?? []
        return names.allSatisfy { longest.starts(with: $0) }
    }

    mutating func read(_ bytes: [UInt8]) -> Bool {
        var cuts = Mutator(seed: UInt64(bytes.first ?? 0))
        var reader = RESPReader(limits: Self.limits)
        switch cuts.below(3) {
        case 0: reader.setLongValues(.leaveOut)
        case 1: reader.setLongValues(.leaveOutToFit)
        default: break
        }
        var start = 1
        do throws(RESPError) {
            while start < bytes.count {
                let end = min(bytes.count, start + 1 + cuts.below(40))
                let piece = Array(bytes[start..<end])
                let fed = unsafe piece.withUnsafeBytes { piece in
                    Result { () throws(RESPError) in unsafe try reader.feed(piece) }
                }
                try fed.get()
                var scanner = ReplyScanner()
                _ = reader.scan(&scanner)
                while let reply = try reader.next() {
                    let value = reply.value()
                    precondition(
                        !reply.namesGoByPosition || Self.goByPosition(value), "one position, two names")
                    reader.recycle(reply)
                }
                start = end
            }
            return true
        } catch {
            return false
        }
    }
}

/// Pipeline files.
struct YAMLInput: FuzzedInput {
    static let name = "YAML"
    static let seeds = [
        "a: b\n", "- 1\n- [x, {y: z}]\n", "a: &x {b: c}\nd: *x\n", "t: |\n  one\n    two\n",
        "t: >-\n  folded\n  line\n",
        "'q': \"\\u00e4\\x41\\n\"\n", "# comment\n? a\n: b\n", "---\na: ~\n...\n",
        "stages:\n  - decode:\n      fields:\n        id: { type: string, required: true }\n    on_failure: evict\n",
    ].map { Array($0.utf8) }
    private static let meaningful = Array(":-?[]{},#&*!|>'\"%@`\n \t~0x\\\u{00e4}".utf8)

    init() {}

    func make(_ random: inout Mutator) -> [UInt8] {
        random.mutate(Self.seeds, Self.meaningful, joined: 4, changes: 10)
    }

    mutating func read(_ bytes: [UInt8]) -> Bool { (try? YAMLParser.parse(bytes)) != nil }
}
