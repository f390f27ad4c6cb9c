import Foundation
import Glibc

/// A program that could not be run, or that failed.
struct ToolFailure: Error, CustomStringConvertible {
    /// What failed and how.
    var description: String
}

/// A program started by the bench, its standard output kept.
struct ChildProcess {
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

    /// Waits for its end and returns what it wrote; throws where its status is not 0.
    func wait() throws -> Data {
        let data = self.output.fileHandleForReading.readDataToEndOfFile()
        self.process.waitUntilExit()
        guard self.process.terminationStatus == 0 else {
            throw ToolFailure(description: "\(self.name): ended with status \(self.process.terminationStatus)")
        }
        return data
    }

    /// The first line of a program that goes on; throws where it ends without one.
    func firstLine() throws -> Data {
        var line = Data()
        while let byte = try self.output.fileHandleForReading.read(upToCount: 1), !byte.isEmpty {
            if byte.first == UInt8(ascii: "\n") { return line }
            line += byte
        }
        throw ToolFailure(description: "\(self.name): ended without a line")
    }

    /// Runs a program to its end and returns what it wrote.
    static func run(
        _ program: String, _ arguments: [String], isQuiet: Bool = false, environment: [String: String] = [:]
    ) throws -> Data {
        try ChildProcess(program, arguments, isQuiet: isQuiet, environment: environment).wait()
    }

    /// Where a program is, by the PATH; nil where it is not.
    static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
