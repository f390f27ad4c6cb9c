import Foundation

/// What a reader of figures must know of the machine.
enum MachineFacts {
    /// The machine at this moment.
    static func now() -> BenchReport.Machine {
        BenchReport.Machine(
            date: Date().formatted(.iso8601), processor: self.processor,
            cores: ProcessInfo.processInfo.activeProcessorCount,
            kernel: self.line("/proc/sys/kernel/osrelease") ?? "?", server: self.server, loadBefore: self.load)
    }

    /// The one-minute load average.
    static var load: Double {
        self.line("/proc/loadavg")?.split(separator: " ").first.flatMap { Double($0) } ?? 0
    }

    private static var processor: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "?"
    }

    private static var server: String {
        guard let program = ChildProcess.find("redis-server"),
            let data = try? ChildProcess.run(program, ["--version"])
        else { return "?" }
        return String(decoding: data, as: UTF8.self).split(separator: " ").prefix(3).joined(separator: " ")
    }

    private static func line(_ path: String) -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return text.split(separator: "\n").first.map(String.init)
    }
}
