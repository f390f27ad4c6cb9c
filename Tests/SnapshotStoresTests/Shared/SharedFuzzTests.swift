import CSluiceLookup
import Foundation
import StageKit
import Testing

@testable import SnapshotStores

/// The C library reads a file whose bytes are changed at random. The memory around them cannot be read, so that a load
/// outside of them ends the test.
@Suite struct SharedFuzzTests {
    /// A copy of a file between two pages without access.
    @safe
    final class GuardedBytes {
        private let mapping: UnsafeMutableRawPointer
        private let length: Int
        let bytes: UnsafeMutableRawBufferPointer

        /// `size` is a multiple of a page.
        init(_ content: Data) throws {
            let page = SystemPage.size
            self.length = content.count + 2 * page
            let flags = MAP_PRIVATE | MAP_ANONYMOUS
            let mapping = try #require(unsafe mmap(nil, self.length, PROT_NONE, flags, -1, 0))
            try #require(unsafe mapping != MAP_FAILED)
            unsafe self.mapping = mapping
            unsafe self.bytes = UnsafeMutableRawBufferPointer(start: mapping + page, count: content.count)
            #expect(unsafe mprotect(mapping + page, content.count, PROT_READ | PROT_WRITE) == 0)
            unsafe self.bytes.copyBytes(from: content)
        }

        deinit { unsafe munmap(self.mapping, self.length) }
    }

    /// The file of a small store with keys and values of all kinds.
    static func content(_ expiry: ExpirySettings = ExpirySettings()) throws -> (data: Data, keys: [[UInt8]]) {
        let file = try SharedDirectory()
        let harness = Harness(
            maxEntries: 100, evictions: 50, shards: 2, recordMemory: 2 << 20,
            conditions: try .named(["active": ["status": ["active"]]]), expiry: expiry,
            share: file.share(["status", "user", "id"] + (expiry.field.map { [$0.text] } ?? [])))
        var keys: [[UInt8]] = []
        for index in 0..<60 {
            let key = [UInt8](repeating: UInt8(index), count: [0, 4, 20, 36, 127, 200][index % 6]) + [UInt8(index)]
            keys.append(key)
            let user: Harness.Value =
                index % 3 == 0
                ? .integer(Int64(index), text: "\(index)") : .bytes([UInt8](repeating: 7, count: index * 9))
            _ = try harness.upsert(
                Harness.entry(UInt64(index) + 1),
                [
                    .bytes(key), user, .text(index % 4 == 0 ? "revoked" : "active"), .absent,
                    index % 5 == 0 ? .absent : .text("9999-12-31T23:59:59Z"),
                ])
        }
        try harness.store.open()
        return (try Data(contentsOf: URL(fileURLWithPath: file.path)), keys)
    }

    @Test(
        "Any bytes in a file give an answer, and nothing outside of them is read",
        arguments: [ExpirySettings(), .expiring("expires_at", after: 31_536_000_000_000)])
    func mutations(expiry: ExpirySettings) throws {
        let (data, keys) = try Self.content(expiry)
        let guarded = try GuardedBytes(data)
        let words = guarded.bytes.bindMemory(to: UInt64.self)
        var generator = SplitMix64(state: 23)
        let headers = Array(0..<64) + [512 / 8, 520 / 8, 528 / 8]
        let heads = Int(words[SharedLayout.Word.headsOffset]) / 8
        let counts = Int(words[SharedLayout.Word.lineCountsOffset]) / 8
        let tables = Int(words[SharedLayout.Word.tablesOffset]) / 8
        let records = Int(words[SharedLayout.Word.recordsOffset]) / 8
        let wild: [UInt64] = [0, 1, 2, 63, 64, 65, 1 << 16, 1 << 20, 1 << 31, 1 << 32, 1 << 40, 1 << 62, 1 << 63, .max]
        var answers: [UInt32: Int] = [:]
        for _ in 0..<Harness.rounds(4_000) {
            var saved: [(Int, UInt64)] = []
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let location: Int
                switch generator.next() % 6 {
                case 0: location = headers.randomElement(using: &generator) ?? 0
                case 1: location = heads + Int.random(in: 0..<17, using: &generator)
                case 2: location = counts + Int.random(in: 0..<2, using: &generator)
                case 3: location = tables + Int.random(in: 0..<2, using: &generator) * Int(data.count / 64)
                case 4: location = tables + Int.random(in: 0..<256, using: &generator)
                default: location = records + Int.random(in: 0..<2500, using: &generator)
                }
                guard location < words.count else { continue }
                saved.append((location, words[location]))
                switch generator.next() % 4 {
                case 0: words[location] = wild.randomElement(using: &generator) ?? 0
                case 1: words[location] ^= 1 << (generator.next() % 64)
                case 2: words[location] = UInt64(data.count) &- generator.next() % 64
                default: words[location] = generator.next()
                }
            }
            let reader = try SharedReader(attachedTo: UnsafeRawBufferPointer(guarded.bytes), patience: 0)
            for _ in 0..<2 {
                let key = keys.randomElement(using: &generator) ?? []
                answers[reader.ask(key).rawValue, default: 0] += 1
                let (answer, values) = reader.get(key, ["status", "user", "id"], capacity: 64)
                answers[answer.rawValue, default: 0] += 1
                if answer != SLUICE_ALLOWED, answer != SLUICE_REFUSED { #expect(values == [nil, nil, nil]) }
            }
            _ = reader.state
            for (location, word) in saved.reversed() { words[location] = word }
        }
        // The mutations leave many sessions intact, and harm enough of them.
        for answer in [SLUICE_ALLOWED, SLUICE_REFUSED, SLUICE_ABSENT, SLUICE_STALE, SLUICE_BUSY] {
            #expect(answers[answer.rawValue, default: 0] > 20)
        }
    }

    @Test("A file truncated anywhere is refused or read within its bytes")
    func truncations() throws {
        let (data, keys) = try Self.content()
        let page = SystemPage.size
        for pages in 0..<min(80, data.count / page) {
            let guarded = try GuardedBytes(data.prefix(pages * page))
            guard pages > 0 else { continue }
            let words = guarded.bytes.bindMemory(to: UInt64.self)
            words[SharedLayout.Word.fileSize] = UInt64(pages * page)
            let reader = try SharedReader(attachedTo: UnsafeRawBufferPointer(guarded.bytes), patience: 0)
            for key in keys { #expect(reader.ask(key) == SLUICE_STALE) }
        }
    }
}
