import Foundation
import Synchronization

/// A child process that ends with this one.
///
/// Not Foundation's `Process`: that notices a child's end by a socket which children started meanwhile inherit, so with
/// servers running beside it, `waitUntilExit` does not return.
struct Child: Sendable {
    /// Why a child could not be started.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The process.
    let pid: pid_t
    /// The end of a pipe that the child's standard input reads: whoever reads there learns of this process's end.
    private let lifeline: Int32

    /// Starts a program found in PATH, in a folder, its output added to a file there.
    ///
    /// One child at a time, so that none inherits the pipe of another before that is marked as not to be inherited.
    init(_ arguments: [String], in folder: URL, log: String) throws {
        self = try Self.starting.withLock { _ in try Child(starting: arguments, in: folder, log: log) }
    }

    private static let starting = Mutex(())

    private init(starting arguments: [String], in folder: URL, log: String) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(description: "no pipe") }
        defer { close(ends[0]) }
        // No other child may hold the pipe open: it would keep this one alive.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let path = folder.appendingPathComponent(log).path
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        posix_spawn_file_actions_addopen(&actions, 1, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // The threads that tests run on block most signals, and a shell that cannot get SIGCHLD waits for ever.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        sigemptyset(&noSignals)
        posix_spawnattr_setsigmask(&attributes, &noSignals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let script = "cd \"$0\" && exec \"$@\""
        let pointers = (["/bin/sh", "-c", script, folder.path] + arguments).map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, "/bin/sh", &actions, &attributes, pointers + [nil], environ)
        guard error == 0 else {
            close(ends[1])
            throw Failure(description: "cannot start \(arguments[0]): error \(error)")
        }
        self.pid = pid
        self.lifeline = ends[1]
    }

    /// Waits for its end and returns its exit status, -1 where a signal ended it.
    func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(self.pid, &status, 0) < 0, errno == EINTR {}
        close(self.lifeline)
        return status & 0x7F == 0 ? status >> 8 & 0xFF : -1
    }

    /// Has a child end that waits for a line on its standard input, and waits for it.
    func end() {
        var line = UInt8(ascii: "\n")
        _ = write(self.lifeline, &line, 1)
        _ = self.wait()
    }
}
