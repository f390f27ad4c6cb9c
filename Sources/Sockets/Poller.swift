import CEpoll
package import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Waits for events of descriptors (epoll); used by one thread.
///
/// Level-triggered: an event is reported as long as its condition holds. So one read per event is enough, and no
/// connection reads until the socket is empty while others wait; an edge-triggered one would need a second system call
/// per request, which only finds that there is nothing more.
///
/// Safe, although `epoll_event` has a union: every event is written by the system, which copies the descriptor that
/// `add` or `change` has set, or is all zeros.
@safe
package struct Poller: ~Copyable {
    /// The events that are taken by one call.
    package static let batch = 64

    /// The events that a descriptor is watched for.
    package struct Interest: OptionSet, Sendable {
        /// The events as epoll has them.
        package let rawValue: UInt32

        /// Creates an interest in events of epoll.
        package init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// Bytes or connections have arrived, or the other side has ended its output.
        package static let read = Interest(rawValue: sluiceReadable)
        /// The socket takes bytes.
        package static let write = Interest(rawValue: sluiceWritable)
    }

    /// The events of a descriptor.
    package struct Event: Sendable {
        /// The descriptor.
        package let descriptor: Int32
        fileprivate let bits: UInt32

        /// Whether a read does not block.
        package var isReadable: Bool { self.bits & sluiceReadable != 0 }
        /// Whether the socket takes bytes.
        package var isWritable: Bool { self.bits & sluiceWritable != 0 }
        /// Whether both directions have ended, or the connection has failed; reported whatever the interest.
        package var hasEnded: Bool { self.bits & sluiceEnded != 0 }
    }

    private let descriptor: Int32
    private var events = unsafe [epoll_event](repeating: epoll_event(), count: Self.batch)

    /// Creates a poller without descriptors.
    ///
    /// - Throws: The error of the system.
    package init() throws(IOError) {
        let descriptor = sluiceMakePoller()
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "epoll_create1") }
        self.descriptor = descriptor
    }

    deinit {
        close(self.descriptor)
    }

    /// Watches a descriptor, which is forgotten when it is closed; returns `false` if the system has no memory.
    package func add(_ descriptor: Int32, _ interest: Interest) -> Bool {
        sluiceWatch(self.descriptor, EPOLL_CTL_ADD, descriptor, interest.rawValue) == 0
    }

    /// Changes the events that a descriptor is watched for.
    package func change(_ descriptor: Int32, _ interest: Interest) {
        // Cannot fail for a descriptor that is watched (epoll_ctl(2)).
        _ = sluiceWatch(self.descriptor, EPOLL_CTL_MOD, descriptor, interest.rawValue)
    }

    /// Waits for events; returns the number of events, 0 if there is none in this time, or if a signal has arrived.
    package mutating func wait(milliseconds: Int32) -> Int {
        // The system writes no more events than the array has.
        let count = unsafe self.events.withUnsafeMutableBufferPointer {
            unsafe epoll_wait(self.descriptor, $0.baseAddress, Int32($0.count), milliseconds)
        }
        return max(0, Int(count))
    }

    /// An event of the last `wait`, by its index.
    package func event(_ index: Int) -> Event {
        let event = unsafe self.events[index]
        return unsafe Event(descriptor: event.data.fd, bits: event.events)
    }
}
