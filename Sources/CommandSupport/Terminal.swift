package import ArgumentParser
import Glibc
import LocalFiles

/// Exit statuses other than success, after sysexits.h.
package enum ExitStatus {
    /// The command failed while running.
    package static let failure = ExitCode(1)
    /// The configuration is wrong (EX_CONFIG).
    package static let configuration = ExitCode(78)
}

/// The output of commands: results go to standard output, everything else to standard error.
package enum Terminal {
    /// Writes a line to standard error.
    package static func report(_ line: String) {
        self.write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }

    /// Writes a line to standard output; throws if that fails, except if the reader has closed the pipe.
    package static func result(_ line: String) throws {
        if self.write(Array((line + "\n").utf8)) || errno == EPIPE { return }
        self.report("sluice: standard output: \(unsafe String(cString: strerror(errno)))")
        throw ExitStatus.failure
    }

    /// Writes bytes, by default to standard output; returns false if writing fails.
    @discardableResult
    package static func write(_ bytes: [UInt8], to descriptor: Int32 = STDOUT_FILENO) -> Bool {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let count = SystemCall.uninterrupted {
                unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress!, $0.count) }
            }
            if count < 0 { return false }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    /// Whether standard output is a terminal.
    package static var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 }
}
