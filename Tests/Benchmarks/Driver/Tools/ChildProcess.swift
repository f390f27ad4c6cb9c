import Dispatch
import Foundation
import Glibc
import Synchronization

/// A program that could not be run, or that failed.
struct ToolFailure: Error, CustomStringConvertible {
    /// What failed and how.
    var description: String
}

/// A program started by the bench, its standard output kept.
struct ChildProcess {
    /// The time in seconds that a program may take if its caller does not know better: the longest measurement, the
    /// drains of ten million events, takes minutes.
    static let limit = 1800.0

    private let process = Process()
    private let output = Pipe()
    private let input: Pipe?
    private let name: String

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - isQuiet: Whether its standard error goes nowhere; otherwise it is the bench's own.
    ///   - environment: Variables on top of the bench's own.
    ///   - keepsInput: Whether its standard input stays open until it is killed or the bench ends; else it is empty.
    init(
        _ program: String, _ arguments: [String], isQuiet: Bool = false, environment: [String: String] = [:],
        keepsInput: Bool = false
    ) throws {
        self.name = ([program] + arguments).joined(separator: " ")
        self.process.executableURL = URL(fileURLWithPath: program)
        self.process.arguments = arguments
        self.input = keepsInput ? Pipe() : nil
        self.process.standardInput = self.input ?? FileHandle.nullDevice
        if !environment.isEmpty {
            self.process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        }
        self.process.standardOutput = self.output
        if isQuiet { self.process.standardError = FileHandle.nullDevice }
        try self.process.run()
    }

    /// The process's number.
    var identifier: Int32 { self.process.processIdentifier }

    /// Whether it has not ended.
    var isRunning: Bool { self.process.isRunning }

    /// Ends it at once. Not by SIGTERM, which a process started from a thread that blocks signals never sees.
    func kill() {
        if self.process.isRunning { _ = Glibc.kill(self.process.processIdentifier, SIGKILL) }
    }

    /// Waits for its end and returns what it wrote. It is killed if it takes longer than `limit` seconds.
    ///
    /// - Throws: `ToolFailure` if its status is not 0, or if it was killed.
    func wait(limit: Double = ChildProcess.limit) throws -> Data {
        let deadline = Deadline(self.identifier, seconds: limit)
        let data = self.output.fileHandleForReading.readDataToEndOfFile()
        self.process.waitUntilExit()
        if deadline.end() { throw self.tooSlow(limit) }
        guard self.process.terminationStatus == 0 else {
            throw ToolFailure(description: "\(self.name): ended with status \(self.process.terminationStatus)")
        }
        return data
    }

    /// The first line of a program that goes on. The program is killed if it takes longer than `limit` seconds.
    ///
    /// - Throws: `ToolFailure` if it ends without a line, or if it was killed.
    func firstLine(limit: Double = ChildProcess.limit) throws -> Data {
        let deadline = Deadline(self.identifier, seconds: limit)
        defer { _ = deadline.end() }
        var line = Data()
        while let byte = try self.output.fileHandleForReading.read(upToCount: 1), !byte.isEmpty {
            if byte.first == UInt8(ascii: "\n") { return line }
            line += byte
        }
        if deadline.end() { throw self.tooSlow(limit) }
        throw ToolFailure(description: "\(self.name): ended without a line")
    }

    private func tooSlow(_ limit: Double) -> ToolFailure {
        ToolFailure(description: "\(self.name): killed after \(Figures.fixed(limit, digits: 0)) s without a result")
    }

    /// Runs a program to its end, or for `limit` seconds, and returns what it wrote.
    static func run(
        _ program: String, _ arguments: [String], isQuiet: Bool = false, environment: [String: String] = [:],
        limit: Double = ChildProcess.limit
    ) throws -> Data {
        try ChildProcess(program, arguments, isQuiet: isQuiet, environment: environment).wait(limit: limit)
    }

    /// Where a program is, by the PATH; nil where it is not.
    static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// Kills a process that takes longer than its limit.
private final class Deadline: Sendable {
    private struct State {
        var hasEnded = false
        var hasPassed = false
    }

    private let state = Mutex(State())

    /// Begins to count the seconds of a running process.
    init(_ process: Int32, seconds: Double) {
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds) {
            self.state.withLock { state in
                if state.hasEnded { return }
                state.hasPassed = true
                _ = Glibc.kill(process, SIGKILL)
            }
        }
    }

    /// Stops counting; returns whether the process was killed.
    func end() -> Bool {
        self.state.withLock { state in
            state.hasEnded = true
            return state.hasPassed
        }
    }
}
