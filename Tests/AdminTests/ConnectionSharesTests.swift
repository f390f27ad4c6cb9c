import NIOCore
import Testing

@testable import Admin

@Suite struct ConnectionSharesTests {
    private static let crowd = ConnectionPeer.network([10, 0, 0, 1])
    private static let other = ConnectionPeer.network([10, 0, 0, 2])

    /// One step, with the connection that it closes.
    enum Step: Sendable {
        /// A connection of the crowd, or of the other peer.
        case crowd(evicts: UInt64?)
        case other(evicts: UInt64?)
        case proves(UInt64, Bool)
        case asks(UInt64)
        case answered(UInt64)
        case ends(UInt64)
    }

    @Test(
        "Connections are numbered from 1, and one place in four is a reserve",
        arguments: [
            // Room for everybody, and for the next where one has ended.
            [
                .crowd(evicts: nil), .crowd(evicts: nil), .crowd(evicts: nil), .crowd(evicts: nil), .ends(2),
                .crowd(evicts: nil),
            ],
            // The oldest idle one goes, and what is in the middle of a request after all idle ones.
            [
                .crowd(evicts: nil), .crowd(evicts: nil), .crowd(evicts: nil), .crowd(evicts: nil), .asks(1),
                .crowd(evicts: 2), .crowd(evicts: 3), .answered(1), .crowd(evicts: 4), .crowd(evicts: 5),
                .crowd(evicts: 6),
                .crowd(evicts: 1),
            ],
            // Whoever has most gives way, also to itself: the other keeps its one.
            [
                .other(evicts: nil), .crowd(evicts: nil), .crowd(evicts: nil), .crowd(evicts: nil), .crowd(evicts: 2),
                .crowd(evicts: 3), .other(evicts: 4), .other(evicts: 1),
            ],
            // Proven ones stay, up to the reserve; a newcomer takes the place of the one that is not kept.
            [
                .crowd(evicts: nil), .crowd(evicts: nil), .crowd(evicts: nil), .crowd(evicts: nil), .proves(1, true),
                .proves(2, true), .proves(3, true), .proves(4, false), .proves(1, true), .other(evicts: 4),
                .other(evicts: 5), .ends(1), .proves(6, true), .other(evicts: nil), .other(evicts: 7),
            ],
            // Numbers of connections that are gone are nothing to it.
            [.crowd(evicts: nil), .ends(1), .ends(1), .asks(1), .answered(1), .proves(1, false), .crowd(evicts: nil)],
        ] as [[Step]])
    func steps(steps: [Step]) {
        var shares = ConnectionShares(places: 4, reserve: 1)
        for (index, step) in steps.enumerated() {
            switch step {
            case .crowd(let evicted):
                let admitted = shares.admit(Self.crowd)
                #expect(admitted.evicted == evicted, "step \(index)")
            case .other(let evicted):
                let admitted = shares.admit(Self.other)
                #expect(admitted.evicted == evicted, "step \(index)")
            case .proves(let id, let isKept):
                let keeps = shares.prove(id)
                #expect(keeps == isKept, "step \(index)")
            case .asks(let id): shares.requestBegan(id)
            case .answered(let id): shares.responseEnded(id)
            case .ends(let id): shares.remove(id)
            }
            #expect(shares.count <= 4)
        }
    }

    @Test("If no connection can be replaced, a new one is closed")
    func noReserve() {
        var shares = ConnectionShares(places: 1, reserve: 0)
        let first = shares.admit(Self.crowd)
        let isKept = shares.prove(first.id)
        let second = shares.admit(Self.other)
        #expect(first.evicted == nil && isKept && second.evicted == second.id)
        #expect(shares.count == 1)
    }

    @Test(
        "A peer is an IPv4 address, an IPv6 network or this machine",
        arguments: [
            ("10.1.2.3", [10, 1, 2, 3]), ("::ffff:10.1.2.3", [10, 1, 2, 3]), ("::1", [0, 0, 0, 0, 0, 0, 0, 0]),
            ("2001:db8:1:2:3:4:5:6", [0x20, 1, 0x0D, 0xB8, 0, 1, 0, 2]),
        ] as [(String, [UInt8])])
    func peers(address: String, bytes: [UInt8]) throws {
        #expect(ConnectionPeer(try SocketAddress(ipAddress: address, port: 1)) == .network(bytes))
        #expect(ConnectionPeer(try SocketAddress(unixDomainSocketPath: "/x")) == .local)
        #expect(ConnectionPeer(nil) == .local)
    }
}
