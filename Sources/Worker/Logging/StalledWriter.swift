import Glibc

/// Writes lines to a descriptor whose reader may stop reading, such as standard error that is a pipe.
///
/// A line waits for the reader for at most `patience`. A line that still does not fit is lost, and the lines after it are not
/// waited for until the reader reads again: so log lines never hold up a shutdown.
struct StalledWriter {
    /// How long a line waits for the reader, in milliseconds: longer than a busy log collector pauses, far shorter than the
    /// time that a shutdown has.
    static let patience: Int32 = 2000
    /// Bytes written to a pipe at once: after poll(2) so many never wait (PIPE_BUF of pipe(7)).
    private static let chunk = 4096

    /// Where lines go.
    let descriptor: Int32
    /// How long a line waits, in milliseconds.
    var patience = Self.patience
    /// The lines that were lost so far.
    private(set) var lost: UInt64 = 0
    private var isStalled = false
    /// Whether a line was cut off, so that its end is missing.
    private var isTorn = false

    /// Creates a writer; nothing is written.
    init(descriptor: Int32, patience: Int32 = Self.patience) {
        self.descriptor = descriptor
        self.patience = patience
    }

    /// Writes a line, or loses it. An error is ignored: there is nowhere to report it.
    mutating func write(_ line: [UInt8]) {
        var rest = (self.isTorn ? [UInt8(ascii: "\n")] + line : line)[...]
        let size = rest.count
        while !rest.isEmpty {
            guard self.isWritable() else {
                self.isStalled = true
                self.lost += 1
                self.isTorn = self.isTorn || rest.count < size
                return
            }
            self.isStalled = false
            // Unsafe, as it takes a pointer: it stays within the call, and the count is that of the bytes there.
            let written = unsafe rest.prefix(Self.chunk).withUnsafeBytes { bytes in
                unsafe Glibc.write(self.descriptor, bytes.baseAddress, bytes.count)
            }
            if written < 0, errno == EINTR || errno == EAGAIN { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
        self.isTorn = false
    }

    /// Whether the descriptor takes a chunk without a wait; a closed pipe is writable too, and the error comes with the write.
    private func isWritable() -> Bool {
        var wanted = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
        let deadline = ContinuousClock.now + Duration.milliseconds(self.isStalled ? 0 : Int(self.patience))
        while true {
            let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
            let found = unsafe poll(&wanted, 1, Int32(max(0, left.rounded(.up))))
            if found >= 0 || errno != EINTR { return found > 0 }
        }
    }
}
