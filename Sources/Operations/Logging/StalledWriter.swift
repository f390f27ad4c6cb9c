import Glibc

/// Writes lines to a descriptor whose reader may stop reading, such as a pipe on standard error.
///
/// A line waits at most `patience` for the reader. A line that still does not fit is lost, and later lines do not wait
/// until the reader reads again: so log lines never delay a shutdown.
struct StalledWriter {
    /// The maximum time that a line waits for the reader, in milliseconds: longer than the pauses of a busy log
    /// collector, far shorter than the time limit of a shutdown.
    static let patience: Int32 = 2000
    /// Bytes per write to a pipe: a write of this size never blocks after poll(2) (PIPE_BUF of pipe(7)).
    private static let chunk = 4096

    /// The destination of lines.
    let descriptor: Int32
    /// The maximum time that a line waits, in milliseconds.
    var patience = Self.patience
    /// The number of lines lost so far.
    private(set) var lost: UInt64 = 0
    private var isStalled = false
    /// Whether the last line was cut off, so that its end is missing.
    private var isTorn = false

    /// Creates a writer; writes nothing.
    init(descriptor: Int32, patience: Int32 = Self.patience) {
        self.descriptor = descriptor
        self.patience = patience
    }

    /// Writes a line, or loses it. Errors are ignored, because they cannot be reported anywhere.
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

    /// Whether the descriptor accepts a chunk without blocking; a closed pipe is writable too, and the write then
    /// fails.
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
