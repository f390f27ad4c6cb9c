import Foundation
import Synchronization
import Testing

/// The built command as a child process, which ends with this one.
final class SluiceProcess: Sendable {
    /// How a command ended.
    struct Ending: Sendable {
        var status: Int32
        var output: String
        var errors: String
    }

    private let child: Mutex<Child?>
    private let folder: URL
    private let arguments: [String]
    /// The end of the names of the command's files: another command in the same folder has files of its own.
    private let suffix: String

    /// The executable beside the test bundle.
    static let executable = Bundle.module.bundleURL.deletingLastPathComponent().appendingPathComponent("sluice").path

    /// Starts the command in a folder of its own, with nothing in the environment but PATH, what the thread sanitizer is
    /// told where it is in use, and what is given.
    ///
    /// The shell kills the command when its pipe ends with this process, however that ends. The command's standard
    /// output goes to `out`, its standard error to `err`, its process id to `pid`; further commands in the folder have
    /// other names.
    init(_ arguments: [String], in folder: URL, environment: [String: String] = [:]) throws {
        let isFirst = FileManager.default.createFileUnlessThere(folder.appendingPathComponent("out"))
        let suffix = isFirst ? "" : "-\(UUID().uuidString.prefix(8))"
        let script = """
            exec 3<&0
            "$@" >out\(suffix) 2>err\(suffix) </dev/null 3<&- &
            child=$!
            echo $child >pid\(suffix)
            { read line <&3; kill -9 $child; } >/dev/null 2>&1 &
            watcher=$!
            wait $child
            status=$?
            kill $watcher 2>/dev/null
            exit $status
            """
        let own = ProcessInfo.processInfo.environment
        var variables = ["PATH": own["PATH"] ?? "/usr/bin:/bin", "TMPDIR": folder.path]
        variables["TSAN_OPTIONS"] = own["TSAN_OPTIONS"]
        variables.merge(environment) { _, given in given }
        self.folder = folder
        self.arguments = arguments
        self.suffix = suffix
        let head = ["/bin/sh", "-c", script, "sh", "/usr/bin/env", "-i"]
        let child = try Child(
            head + variables.map { "\($0.key)=\($0.value)" } + [Self.executable] + arguments, in: folder, log: "shell")
        self.child = Mutex(child)
    }

    deinit {
        self.kill()
    }

    /// What it has written to standard output.
    var output: String { self.text("out\(self.suffix)") }
    /// What it has written to standard error.
    var errors: String { self.text("err\(self.suffix)") }
    /// Its process id, once it has one.
    var pid: pid_t? {
        let text = self.text("pid\(self.suffix)")
        return text.hasSuffix("\n") ? pid_t(text.dropLast()) : nil
    }

    /// Sends a signal, once the process is there.
    func signal(_ number: Int32) async throws {
        try await eventually("the command starts") { self.pid != nil }
        Foundation.kill(try #require(self.pid), number)
    }

    /// Waits until it ends by itself; one that does not is killed and told.
    func end(sourceLocation: SourceLocation = #_sourceLocation) async throws -> Ending {
        let deadline = ContinuousClock.now + patience
        var pause = Duration.milliseconds(1)
        repeat {
            let status = self.child.withLock { child -> Int32? in
                guard let status = child?.endedStatus() else { return nil }
                child = nil
                return status
            }
            if let status { return Ending(status: status, output: self.output, errors: self.errors) }
            try await Task.sleep(for: pause)
            pause = min(pause * 1.5, .milliseconds(20))
        } while ContinuousClock.now < deadline
        let threads = self.threads
        self.kill()
        let told = "\(self.arguments) hangs:\n\(self.output)\n\(self.errors)\n\(threads)"
        Issue.record(Comment(rawValue: told), sourceLocation: sourceLocation)
        throw CancellationError()
    }

    /// Ends it by force.
    func kill() {
        self.child.withLock { $0.take() }?.end()
    }

    /// What each of its threads waits for in the kernel, for who has to find out why it hangs.
    private var threads: String {
        guard let pid = self.pid else { return "it has no process id" }
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        return tasks.sorted().map { task in
            let parts = ["comm", "wchan", "syscall"].map { file in
                let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/\(file)", encoding: .utf8)
                return text?.trimmingCharacters(in: .newlines) ?? "?"
            }
            return parts.joined(separator: " ")
        }.joined(separator: "\n")
    }

    private func text(_ file: String) -> String {
        let data = try? Data(contentsOf: self.folder.appendingPathComponent(file))
        return String(decoding: data ?? Data(), as: UTF8.self)
    }
}

/// The process id that a shell has written to a file, perhaps after the process has begun.
func processID(in file: URL) async throws -> pid_t {
    var pid: pid_t?
    try await eventually("a process id") {
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        pid = text.hasSuffix("\n") ? pid_t(text.dropLast()) : nil
        return pid != nil
    }
    return try #require(pid)
}

extension FileManager {
    /// Creates an empty file; returns `false` if there is one.
    fileprivate func createFileUnlessThere(_ url: URL) -> Bool {
        (try? Data().write(to: url, options: .withoutOverwriting)) != nil
    }
}

/// Lends a folder that is gone afterwards.
func withFolder<R>(_ body: (URL) async throws -> R) async throws -> R {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

/// Makes a FIFO that is held open and full, so that not one line fits; the caller closes the descriptor.
func fullFIFO(_ path: String) throws -> Int32 {
    try #require(mkfifo(path, 0o600) == 0)
    let reader = open(path, O_RDWR | O_NONBLOCK)
    let filler = [UInt8](repeating: 0x78, count: 4096)
    while write(reader, filler, filler.count) > 0 {}
    return reader
}

/// Runs a command to its end.
func sluice(
    _ arguments: String..., files: [String: String] = [:], environment: [String: String] = [:]
) async throws -> SluiceProcess.Ending {
    try await withFolder { folder in
        for (name, text) in files { try Data(text.utf8).write(to: folder.appendingPathComponent(name)) }
        return try await SluiceProcess(arguments, in: folder, environment: environment).end()
    }
}

extension SluiceProcess {
    /// Runs `sluice dlq replay` with a pipeline file to its end.
    static func replay(_ arguments: [String], _ file: String) async throws -> Ending {
        try await withFolder { folder in
            try Data(file.utf8).write(to: folder.appendingPathComponent("p.yaml"))
            return try await SluiceProcess(["dlq", "replay"] + arguments + ["--file", "p.yaml"], in: folder).end()
        }
    }
}

/// Runs the shipped pipeline beside `body`, which has to see to its end; what is left is killed.
func withWorker<R>(
    _ server: RedisServer, _ arguments: [String] = [], environment: [String: String] = [:],
    _ body: (SluiceProcess, URL) async throws -> R
) async throws -> R {
    try await withFolder { folder in
        let given = ["REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": "unix:\(folder.path)/admin"]
        // The file's own timeout is for production: a busy machine needs longer than that for an answer now and then.
        let process = try SluiceProcess(
            ["run", ReferenceTests.pipelineFile, "--set", "redis.timeout=20s"] + arguments, in: folder,
            environment: given.merging(environment) { _, new in new })
        defer { process.kill() }
        return try await body(process, folder)
    }
}
