import Testing

@testable import Gateway

/// Messages that the Python package xds-protos has made with the official definitions.
enum CheckMessages {
    /// A `CheckRequest` with `headers`, of which `x-session` is `good` and the cookie `sid` is `bad`, and many other
    /// attributes.
    static let map = Self.bytes(
        """
        0ab6010a120a100a0e120831302e302e302e3718cad102227f0a080880e2cfaa06100512730a01371204504f53541a120a053a7061746812\
        092f636172743f783d311a160a06636f6f6b6965120c613d623b207369643d6261641a110a09782d73657373696f6e1204676f6f6422092f\
        636172743f783d312a0473686f703205687474707348ffffffffffffffffff015206485454502f3252060a016b1201765a170a150a016612\
        100a0e0a016e120911000000000000f83f
        """)
    /// A `CheckRequest` with `header_map`, in which the raw value of `x-session` is `bad`.
    static let raw = Self.bytes(
        "0a28222612246a220a0e0a073a6d6574686f641a034745540a100a09782d73657373696f6e1a03626164")

    /// The `CheckResponse` to each session, by its key.
    static let responses = [
        "good": "0a001a1c12130a0f0a06782d757365721205616c69636512002a05782d6b6579",
        "": "0a0b081012076d697373696e6712230a03089103121c0a1a0a107777772d61757468656e7469636174651206426561726572",
        "none": "0a0a08101206616273656e7412230a03089103121c0a1a0a107777772d61757468656e7469636174651206426561726572",
        "bad": "0a0b080712077265667573656412050a03089303", "old": "0a09080e12057374616c6512050a0308f703",
    ].mapValues { Self.bytes($0) }

    /// A `CheckRequest` with these headers.
    static func request(_ headers: [(String, String)]) -> [UInt8] {
        var http: [UInt8] = []
        for (name, value) in headers {
            var entry: [UInt8] = []
            entry.appendField(1, name.utf8)
            entry.appendField(2, value.utf8)
            http.appendField(3, entry)
        }
        var message = http
        for number: UInt64 in [2, 4, 1] {
            var outer: [UInt8] = []
            outer.appendField(number, message)
            message = outer
        }
        return message
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8)
        return stride(from: 0, to: digits.count, by: 2).compactMap { index in
            UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16)
        }
    }
}

@Suite struct GRPCDoorTests {
    private func answer(_ message: [UInt8]) -> (decision: GatewayDecision?, response: [UInt8]) {
        let parts = GRPCDoorParts(DoorConnection.settings, token: nil, store: FixedGatewayStore())
        var door = GRPCDoor(parts)
        var output: [UInt8] = []
        let decision = door.answer(message.span, into: &output)
        return (decision, output)
    }

    @Test("A message of the official library is read, in both forms of headers")
    func official() throws {
        let map = self.answer(CheckMessages.map)
        #expect(map.decision == .allowed && map.response == CheckMessages.responses["good"])
        let raw = self.answer(CheckMessages.raw)
        #expect(raw.decision == .refused && raw.response == CheckMessages.responses["bad"])
    }

    @Test(
        "Each decision has the response that the official library encodes",
        arguments: [
            ("good", GatewayDecision.allowed), ("", .missing), ("none", .absent), ("bad", .refused), ("old", .stale),
        ])
    func decisions(key: String, decision: GatewayDecision) {
        let answer = self.answer(CheckMessages.request([("x-session", key)]))
        #expect(answer.decision == decision)
        #expect(answer.response == CheckMessages.responses[key])
    }

    @Test(
        "The key is found as at the HTTP door, and two different ones are none",
        arguments: [
            ([("X-SESSION", "good")], GatewayDecision.allowed), ([("cookie", "a=b; sid=good")], .allowed),
            ([("authorization", "Bearer good")], .allowed), ([("x-session", "good"), ("x-session", "bad")], .missing),
            // Envoy combines the values of a repeated header.
            ([("x-session", "good,bad")], .absent), ([("x-session", "good,good")], .absent), ([], .missing),
            ([("x-session", "a\u{FFFD}")], .missing), ([("x-session", "user:a~b")], .refused),
            ([("x-session", "user: a")], .refused),
        ] as [([(String, String)], GatewayDecision)])
    func keys(headers: [(String, String)], decision: GatewayDecision) {
        #expect(self.answer(CheckMessages.request(headers)).decision == decision)
    }

    @Test("A message that is cut off or damaged is never allowed for another key, and never crashes the door")
    func damaged() {
        for count in 0..<CheckMessages.map.count {
            let answer = self.answer(Array(CheckMessages.map[..<count]))
            // Nothing but the whole message and the empty one, which has no key, can be read.
            #expect(answer.decision == (count == 0 ? .missing : nil), "\(count) bytes")
            if count > 0 { #expect(answer.response.isEmpty) }
        }
        for index in CheckMessages.map.indices {
            for byte in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
                var message = CheckMessages.map
                message[index] = byte
                let answer = self.answer(message)
                if answer.decision == .allowed { #expect(answer.response == CheckMessages.responses["good"]) }
            }
        }
    }

    @Test(
        "Malformed fields end the reading",
        arguments: [
            [0x0A], [0x0A, 0x80], [0x0A, 0x02, 0x00], [0x00], [0x02, 0x00], [0x0B], [0x0C], [0x0E], [0x0F], [0x08],
            [0x09, 0, 0, 0], [0x0D, 0],
            [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02],
            [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] as [[UInt8]])
    func malformed(message: [UInt8]) {
        let isValid = Protobuf.read(message.span) { _, _ in true }
        #expect(!isValid)
    }

    @Test("Fields of all types are skipped, and texts are passed with their range")
    func fields() {
        var found: [String] = []
        let message: [UInt8] = [
            0x08, 0x96, 0x01, 0x12, 0x02, 0x61, 0x62, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 0x2A, 0,
        ]
        let isValid = Protobuf.read(message.span) { number, range in
            found.append("\(number) \(range)")
            return true
        }
        #expect(isValid)
        #expect(found == ["2 5..<7", "5 23..<23"])
    }
}
