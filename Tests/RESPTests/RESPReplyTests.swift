import Testing

@testable import RESP

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite struct RESPReplyTests {
    /// One reply out of a wire text.
    private func reply(_ wire: String) throws -> RESPReply {
        var reader = RESPReader()
        try feed(Array(wire.utf8), to: &reader)
        return try #require(try reader.next())
    }

    @Test("Tokens are stored depth first, with their bytes packed in the arena")
    func tokens() throws {
        let reply = try self.reply("*3\r\n$2\r\nab\r\n*2\r\n:-42\r\n$-1\r\n+cd\r\n")
        #expect(reply.count == 6)
        #expect((0..<6).map { reply[$0].kind } == [.array, .bulkString, .array, .integer, .null, .simpleString])
        #expect((0..<6).map { reply[$0].length } == [3, 2, 2, 3, 0, 2])
        #expect((0..<6).map { reply[$0].offset } == [0, 0, 2, 2, 5, 5])
        #expect(Array(reply.bytes) == Array("ab-42cd".utf8))
        #expect(Array(reply.tokens) == (0..<6).map { reply[$0] })
        #expect(Array(reply.bytes(of: reply[5])) == Array("cd".utf8))
        #expect(reply.string(of: reply[3]) == "-42")
        #expect(reply.integer(of: reply[3]) == -42)
        #expect(reply.integer(of: reply[1]) == nil)
        #expect(reply.integer(of: reply[0]) == nil)
        #expect([0, 1, 2, 3, 4, 5].map { reply.index(after: $0) } == [6, 2, 5, 4, 5, 6])
    }

    @Test("A token takes 12 bytes")
    func tokenSize() {
        #expect(MemoryLayout<RESPToken>.stride == 12)
    }

    @Test("Only an error reply has error text")
    func errorMessage() throws {
        #expect(try self.reply("-NOAUTH needed\r\n").errorMessage == "NOAUTH needed")
        #expect(try self.reply("+OK\r\n").errorMessage == nil)
    }

    @Test("Values convert only to their own type or the one they spell")
    func conveniences() {
        #expect(RESPValue.text("12").string == "12")
        #expect(RESPValue.simpleString([0x31]).integer == 1)
        #expect(RESPValue.text("x").integer == nil)
        #expect(RESPValue.bulk([0xFF]).string == nil)
        #expect(RESPValue.bulk([0xFF]).bytes == [0xFF])
        #expect(RESPValue.integer(3).integer == 3)
        #expect(RESPValue.integer(3).string == nil)
        #expect(RESPValue.null.string == nil && RESPValue.null.integer == nil && RESPValue.null.array == nil)
        #expect(RESPValue.error("E").string == nil)
        #expect(RESPValue.array([.null]).array == [.null])
        #expect(RESPValue.map([.null, .null]).array?.count == 2)
    }

    @Test("A recycled reply leaves nothing in the next one")
    func recycling() throws {
        var reader = RESPReader()
        for round in 0..<50 {
            for sample in samples {
                try feed(sample.wire, to: &reader)
                let reply = try #require(try reader.next())
                let (value, count, byteCount) = (reply.value(), reply.count, reply.bytes.count)
                reader.recycle(reply)
                #expect(value == sample.value, "round \(round)")
                if value == .null { #expect(count == 1 && byteCount == 0) }
            }
        }
    }

    @Test("The memory of recycled replies is reused")
    func reuse() throws {
        var reader = RESPReader()
        var addresses: Set<Int> = []
        for _ in 0..<10 {
            try feed(Array("+OK\r\n".utf8), to: &reader)
            let reply = try #require(try reader.next())
            addresses.insert(Int(bitPattern: reply.bytes.baseAddress))
            reader.recycle(reply)
        }
        // One piece of memory is read while the other is in the caller's hands.
        #expect(addresses.count <= 2)
    }

    @Test("No more replies are kept than the limit")
    func freeListIsBounded() throws {
        var reader = RESPReader()
        for _ in 0..<20 {
            reader.recycle(try self.reply("+OK\r\n"))
        }
        let held = reader.heldBytes
        let one = RESPArena.firstCapacity + TokenBuffer.firstCapacity * MemoryLayout<RESPToken>.stride
        #expect(held == RESPReader.maximumRecycled * one)
    }

    @Test("Consecutive large replies keep their memory; the first ordinary one releases it")
    func memoryIsGivenBack() throws {
        let size = RESPReader.keptBytes + 1
        let big = Array("$\(size)\r\n".utf8) + [UInt8](repeating: 0x61, count: size) + [0x0D, 0x0A]
        var reader = RESPReader()
        for _ in 0..<2 {
            _ = try readAll(big, from: &reader)
            let held = reader.heldBytes
            #expect(held > RESPReader.keptBytes)
        }
        // The room of the second big reply serves the first small one, and so on: one round trip for each in the cycle.
        for _ in 0..<3 { _ = try readAll(Array("+OK\r\n".utf8), from: &reader) }
        let held = reader.heldBytes
        #expect(held < 1 << 16)
    }

    @Test("Bytes can be moved out and outlive the reply")
    func takeBytes() throws {
        var reader = RESPReader()
        try feed(Array("*2\r\n+abc\r\n$3\r\ndef\r\n".utf8), to: &reader)
        let reply = try #require(try reader.next())
        let range = reply[2].range
        let arena = reply.takeBytes()
        #expect(reply.bytes.isEmpty && reply.count == 3)
        reader.recycle(reply)
        let others = try readAll(Array("+xyzxyz\r\n".utf8), from: &reader)
        #expect(others.count == 1)
        let bytes = Array(arena.bytes[range])
        #expect(bytes == Array("def".utf8))
    }

    @Test("Bytes can be exchanged for the caller's memory, which a later reply uses")
    func exchangeBytes() throws {
        var reader = RESPReader()
        try feed(Array("+first\r\n".utf8), to: &reader)
        let first = try #require(try reader.next())
        let memory = try #require(malloc(8192))
        memory.copyMemory(from: "stale", byteCount: 5)
        let taken = first.exchangeBytes(RESPArena(adopting: memory, capacity: 8192, count: 5)).release()
        #expect(Array(UnsafeRawBufferPointer(start: taken.base, count: taken.count)) == Array("first".utf8))
        #expect(taken.capacity == RESPArena.firstCapacity)
        free(taken.base)
        #expect(first.bytes.isEmpty)
        #expect(first.heldBytes > 8192)
        reader.recycle(first)

        // The reply after the next is built in the adopted memory, and starts empty there.
        _ = try readAll(Array("+second\r\n".utf8), from: &reader)
        try feed(Array("+third\r\n".utf8), to: &reader)
        let third = try #require(try reader.next())
        #expect(third.bytes.baseAddress == UnsafeRawPointer(memory))
        #expect(Array(third.bytes) == Array("third".utf8))
    }

    @Test("Byte strings of all lengths around the copy's block size survive a round trip")
    func lengths() throws {
        for length in 0...70 {
            let text = (0..<length).map { UInt8(truncatingIfNeeded: 33 + $0) }
            var reader = RESPReader()
            try feed(Array("*2\r\n$\(length)\r\n".utf8) + text + Array("\r\n$1\r\n!\r\n".utf8), to: &reader)
            let reply = try #require(try reader.next())
            #expect(Array(reply.bytes(of: reply[1])) == text)
            #expect(Array(reply.bytes(of: reply[2])) == [33])
        }
    }

    @Test("An arena without memory can be adopted and released")
    func emptyArena() {
        let parts = RESPArena(adopting: nil, capacity: 10, count: 5).release()
        #expect(parts.base == nil && parts.capacity == 0 && parts.count == 0)
    }
}
