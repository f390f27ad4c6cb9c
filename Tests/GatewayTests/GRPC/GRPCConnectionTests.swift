import NIOCore
import NIOEmbedded
import NIOHPACK
import StageKit
import Testing

@testable import Gateway

/// Clients that break rules and limits of HTTP/2, or are slow: none gets a decision that it should not, and none keeps
/// the door from answering others.
@Suite struct GRPCConnectionTests {
    /// The codes of errors in HTTP/2.
    private enum Code {
        static let protocolError: UInt32 = 1
        static let streamClosed: UInt32 = 5
        static let enhanceYourCalm: UInt32 = 11
    }

    /// The numbers of calls: clients use odd ones.
    private func numbers(_ count: Int, from first: Int = 0) -> [UInt32] {
        (first..<first + count).map { UInt32(2 * $0 + 1) }
    }

    @Test("As many calls as the limit allows are in flight together, and each gets its own answer")
    func together() throws {
        let connection = try GRPCConnection()
        let keys = ["good", "bad", "none", "old", ""]
        let calls = self.numbers(GatewayLimits.streams)
        try connection.send(calls.map { try connection.head($0) })
        #expect(connection.headers.isEmpty && connection.isOpen)
        // In another order, and cut anywhere.
        let bytes = calls.reversed().flatMap { GRPCConnection.message($0, key: keys[Int($0) / 2 % keys.count]).bytes }
        for start in stride(from: 0, to: bytes.count, by: 37) {
            try connection.send(Array(bytes[start..<min(start + 37, bytes.count)]))
        }
        for number in calls { #expect(connection.isAnswered(number, keys[Int(number) / 2 % keys.count]), "\(number)") }
        // Their places are free again.
        let next = self.numbers(GatewayLimits.streams, from: GatewayLimits.streams)
        try connection.send(next.flatMap { try connection.call($0) })
        #expect(next.allSatisfy { connection.isAnswered($0) } && connection.isOpen)
    }

    @Test("A client that starts more calls than the limit allows is disconnected, and none of them is allowed")
    func tooMany() throws {
        let connection = try GRPCConnection()
        let calls = self.numbers(GatewayLimits.streams + 1)
        try connection.send(calls.map { try connection.head($0) })
        #expect(connection.data.isEmpty && connection.goAways.count == 1 && !connection.isOpen)
        #expect(connection.metrics.all == ["sluice_gateway_refusals grpc malformed": 1])
        #expect(connection.connections.count == 0)
    }

    @Test("Calls that the client cancels end without a trace, as many as Envoy cancels after a pause of the worker")
    func cancelled() throws {
        let connection = try GRPCConnection()
        var first = 0
        for _ in 0..<5 {
            let calls = self.numbers(GatewayLimits.streams, from: first)
            try connection.send(calls.map { try connection.head($0) })
            try connection.send(calls.map { RawFrame(.reset, stream: $0, RawFrame.bytes(8)) })
            first += GatewayLimits.streams
        }
        try connection.send(connection.call(UInt32(2 * first + 1)))
        #expect(connection.isAnswered(UInt32(2 * first + 1)) && connection.goAways.isEmpty)
        #expect(connection.metrics.all == ["sluice_gateway_decisions grpc allowed": 1])
    }

    @Test("A call that the client cancels while it is answered does not end the others")
    func cancelledLate() throws {
        let connection = try GRPCConnection()
        let reset = RawFrame(.reset, stream: 1, RawFrame.bytes(8))
        try connection.send(connection.call(1) + [reset] + connection.call(3))
        try connection.send(connection.call(5))
        #expect(connection.isAnswered(3) && connection.isAnswered(5) && connection.isOpen)
        #expect(connection.metrics.all["sluice_gateway_refusals grpc malformed"] == nil)
    }

    @Test(
        "A flood of frames that ask for nothing ends the connection, and is counted once",
        arguments: [RawFrame.Kind.reset, .ping, .settings])
    func flood(kind: RawFrame.Kind) throws {
        let connection = try GRPCConnection()
        let frame =
            switch kind {
            case .reset: RawFrame(.reset, stream: 1, RawFrame.bytes(8))
            case .ping: RawFrame(.ping, [UInt8](repeating: 1, count: 8))
            default: RawFrame(.settings)
            }
        try connection.send([connection.head(1)])
        try connection.send(Array(repeating: frame, count: GatewayLimits.floodFrames / 2))
        #expect(connection.isOpen && connection.goAways.isEmpty)
        try connection.send(Array(repeating: frame, count: GatewayLimits.floodFrames))
        #expect(!connection.isOpen && connection.goAways == [Code.enhanceYourCalm])
        #expect(connection.metrics.all == ["sluice_gateway_refusals grpc malformed": 1])
        #expect(connection.connections.count == 0)
    }

    /// Frames for calls that have ended, or have not begun, and the codes of the errors.
    private static let strayFrames: [(frame: RawFrame, code: UInt32)] = [
        (RawFrame(.data, stream: 1, [0]), Code.streamClosed),
        (RawFrame(.data, flags: RawFrame.endStream, stream: 1), Code.streamClosed),
        (RawFrame(.data, stream: 9, [0]), Code.protocolError),
        (RawFrame(.reset, stream: 9, RawFrame.bytes(8)), Code.protocolError),
        (RawFrame(.windowUpdate, stream: 9, RawFrame.bytes(100)), Code.protocolError),
        (RawFrame(.data, stream: 0, [0]), Code.protocolError),
        (RawFrame(.data, stream: 2, [0]), Code.protocolError),
    ]

    @Test(
        "A frame that breaks the rules for a call that is not open ends the connection with GOAWAY",
        arguments: strayFrames.indices, [false, true])
    func strayFrame(index: Int, hasOpenCall: Bool) throws {
        let (frame, code) = Self.strayFrames[index]
        let connection = try GRPCConnection()
        try connection.send(connection.call(1))
        if hasOpenCall { try connection.send([connection.head(3)]) }
        try connection.send([frame])
        #expect(connection.goAways == [code] && !connection.isOpen && connection.connections.count == 0)
        #expect(
            connection.metrics.all == [
                "sluice_gateway_decisions grpc allowed": 1, "sluice_gateway_refusals grpc malformed": 1,
            ])
    }

    @Test("A message that looks like the head of GOAWAY does not turn the error of a call into one of the connection")
    func disguisedGoAway() throws {
        let connection = try GRPCConnection()
        try connection.send(connection.call(1, key: "user:" + String(repeating: "a", count: 1900)))
        // The fourth byte of a frame is its type, and that of a message a part of its length: 7 is GOAWAY.
        #expect(connection.status(1) == "0" && connection.data[1]?[3] == RawFrame.Kind.goAway.rawValue)
        let reset = RawFrame(.reset, stream: 3, RawFrame.bytes(8))
        try connection.send(connection.call(3) + [reset] + connection.call(5))
        try connection.send(connection.call(7))
        #expect(connection.isAnswered(5) && connection.isAnswered(7) && connection.isOpen)
        #expect(connection.goAways.isEmpty)
    }

    @Test("A malformed call is reset, and the calls beside it are answered", arguments: 0..<3)
    func malformedCall(kind: Int) throws {
        let connection = try GRPCConnection()
        try connection.send([connection.head(1)])
        var metadata = GRPCConnection.call
        switch kind {
        case 0:
            metadata.add(name: "connection", value: "close")
            try connection.send([connection.head(3, metadata)])
        case 1:
            metadata.remove(name: ":method")
            try connection.send([connection.head(3, metadata)])
        default:
            // It adds nothing to the window.
            try connection.send([connection.head(3), RawFrame(.windowUpdate, stream: 3, RawFrame.bytes(0))])
        }
        #expect(connection.resets[3] == Code.protocolError && connection.isOpen && connection.goAways.isEmpty)
        try connection.send([GRPCConnection.message(1, key: "good")] + connection.call(5, key: "bad"))
        #expect(connection.isAnswered(1) && connection.isAnswered(5, "bad") && connection.status(3) == nil)
        #expect(connection.metrics.all["sluice_gateway_refusals grpc malformed"] == 1)
    }

    @Test("Frames for calls that the door has reset do not end the connection, as many as can be in flight")
    func lateFrames() throws {
        let connection = try GRPCConnection()
        let calls = self.numbers(GatewayLimits.streams)
        try connection.send(calls.map { try connection.head($0) })
        for _ in 0...GatewayLimits.requestSeconds { connection.loop.sweep() }
        try connection.receive()
        #expect(connection.resets.count == calls.count)
        try connection.send(calls.map { GRPCConnection.message($0, key: "good") })
        #expect(connection.isOpen && connection.goAways.isEmpty && connection.data.isEmpty)
        let next = self.numbers(1, from: GatewayLimits.streams)[0]
        try connection.send(connection.call(next))
        #expect(connection.isAnswered(next))
    }

    @Test("Metadata beyond its limit ends the connection, however it is sent")
    func headerBombs() throws {
        let long = String(repeating: "x", count: GatewayLimits.headerFieldBytes)
        var large = GRPCConnection.call
        large.add(name: "x-large", value: long)
        // A header that the client names once, and repeats with one byte each.
        let bomb = [0x40, 1, UInt8(ascii: "x"), 0x7F, 0xA1, 0x1E] + Array(long.utf8.prefix(4000))
        let blocks = [bomb + [UInt8](repeating: 0xBE, count: 10_000), [UInt8](repeating: 0x82, count: 16_000)]
        let flags = RawFrame.endHeaders
        for block in blocks {
            let connection = try GRPCConnection()
            try connection.send([RawFrame(.headers, flags: flags, stream: 1, block)])
            #expect(!connection.isOpen && connection.data.isEmpty && connection.connections.count == 0)
        }
        let connection = try GRPCConnection()
        let head = try connection.head(1, large)
        try connection.send([RawFrame(.headers, stream: 1, Array(head.payload.prefix(8000)))])
        #expect(connection.isOpen)
        // It never ends.
        for _ in 0..<8 where connection.isOpen {
            try connection.send([RawFrame(.continuation, stream: 1, [UInt8](repeating: 0x82, count: 8000))])
        }
        #expect(!connection.isOpen && connection.connections.count == 0)
        #expect(connection.metrics.all == ["sluice_gateway_refusals grpc malformed": 1])
    }

    @Test("A message beyond its limit is refused, and the other calls are answered")
    func largeMessage() throws {
        let connection = try GRPCConnection()
        let piece = [UInt8](repeating: 0, count: 16_384)
        try connection.send([connection.head(1)])
        for _ in 0..<GatewayLimits.messageBytes / piece.count {
            try connection.send([RawFrame(.data, stream: 1, piece)])
        }
        #expect(connection.status(1) == nil)
        try connection.send([RawFrame(.data, stream: 1, [0])] + connection.call(3))
        #expect(connection.status(1) == "8" && connection.resets[1] != nil && connection.isAnswered(3))
        #expect(connection.metrics.all["sluice_gateway_refusals grpc body"] == 1)
    }

    @Test("The incomplete messages of a connection have a limit together, and a call that ends makes room")
    func incompleteMessages() throws {
        let connection = try GRPCConnection()
        let piece = [UInt8](repeating: 0, count: 16_384)
        let pieces = 7
        let full = GatewayLimits.pendingMessageBytes / (pieces * piece.count)
        let calls = self.numbers(full + 1)
        for number in calls {
            try connection.send([connection.head(number)])
            for _ in 0..<pieces where connection.resets[number] == nil {
                try connection.send([RawFrame(.data, stream: number, piece)])
            }
        }
        #expect(calls.dropLast().allSatisfy { connection.status($0) == nil })
        #expect(calls.last.flatMap { connection.status($0) } == "8")
        let next = self.numbers(1, from: full + 1)[0]
        try connection.send([RawFrame(.reset, stream: calls[0], RawFrame.bytes(8))] + connection.call(next))
        #expect(connection.isAnswered(next) && connection.isOpen)
    }

    @Test("GOAWAY of the client does not end its calls")
    func goAway() throws {
        let connection = try GRPCConnection()
        try connection.send([connection.head(1), connection.head(3)])
        let goAway = RawFrame(.goAway, RawFrame.bytes(0) + RawFrame.bytes(0))
        try connection.send([GRPCConnection.message(1, key: "good"), goAway, GRPCConnection.message(3, key: "bad")])
        #expect(connection.isAnswered(1) && connection.isAnswered(3, "bad"))
    }

    @Test("A call that does not arrive in time is ended, and the connection goes on")
    func slowCall() throws {
        let connection = try GRPCConnection()
        try connection.send(connection.call(1))
        try connection.send([connection.head(3), RawFrame(.data, stream: 3, [0, 0])])
        for _ in 0...GatewayLimits.requestSeconds { connection.loop.sweep() }
        try connection.receive()
        #expect(connection.resets[3] != nil && connection.status(3) == nil)
        try connection.send(connection.call(5))
        #expect(connection.isAnswered(5) && connection.isOpen)
    }

    @Test("A client without calls is disconnected, before its first call sooner than later")
    func idle() throws {
        let silent = try GRPCConnection()
        let proven = try GRPCConnection()
        try proven.send(proven.call(1))
        for connection in [silent, proven] {
            for _ in 0...GatewayLimits.requestSeconds { connection.loop.sweep() }
            try connection.receive()
        }
        #expect(!silent.isOpen && silent.goAways == [0] && proven.isOpen)
        for _ in 0...GatewayLimits.idleSeconds { proven.loop.sweep() }
        try proven.receive()
        #expect(!proven.isOpen && proven.goAways == [0] && proven.connections.count == 0)
    }

    @Test("A client that does not take its responses is not read from, and is disconnected in the end")
    func slowReader() throws {
        // With a window of 0 bytes, no message may be sent: its call ends, and the connection goes on.
        let closed = try GRPCConnection(settings: [0, 4] + RawFrame.bytes(0))
        try closed.send(closed.call(1))
        #expect(closed.data[1] == nil && closed.status(1) == nil)
        for _ in 0...GatewayLimits.requestSeconds { closed.loop.sweep() }
        try closed.receive()
        #expect(closed.data[1] == nil && closed.resets[1] != nil && closed.isOpen)
        // Nothing can be written to the socket.
        let full = try GRPCConnection()
        try full.send(full.call(1))
        full.channel.isWritable = false
        full.channel.pipeline.fireChannelWritabilityChanged()
        for _ in 0..<GatewayLimits.requestSeconds { full.loop.sweep() }
        #expect(full.isOpen)
        full.loop.sweep()
        full.loop.sweep()
        #expect(!full.isOpen && full.connections.count == 0)
    }

    @Test("A door that closes answers the calls in flight, takes no others, and then ends the connection")
    func stop() throws {
        let connection = try GRPCConnection()
        try connection.send([connection.head(1)])
        connection.loop.stop()
        try connection.receive()
        #expect(connection.goAways == [0] && connection.isOpen)
        try connection.send([GRPCConnection.message(1, key: "good")])
        #expect(connection.isAnswered(1) && !connection.isOpen && connection.connections.count == 0)
    }

    @Test("Random and damaged frames do no harm: no other key is allowed, and the connection leaves the list")
    func random() throws {
        var generator = SplitMix64(state: 7)
        for round in 0..<RandomRounds.count(100) {
            let connection = try GRPCConnection()
            var bytes = try
                (self.numbers(3).flatMap { try connection.call($0, key: "bad") }
                + [RawFrame(.ping, [UInt8](repeating: 0, count: 8)), RawFrame(.windowUpdate, RawFrame.bytes(100))])
                .flatMap(\.bytes)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: bytes.indices, using: &generator)
                bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
            }
            while !bytes.isEmpty, connection.isOpen {
                let count = Int.random(in: 1...bytes.count, using: &generator)
                try connection.send(Array(bytes.prefix(count)))
                bytes.removeFirst(count)
            }
            #expect(connection.metrics.all["sluice_gateway_decisions grpc allowed"] == nil, "\(round)")
            // First the calls end, then the connection.
            for seconds in [GatewayLimits.requestSeconds, GatewayLimits.idleSeconds] {
                for _ in 0...seconds { connection.loop.sweep() }
                try connection.receive()
            }
            #expect(!connection.isOpen && connection.connections.count == 0, "\(round)")
        }
    }
}
