package import Admin
import Glibc
import LocalFiles

/// The process's resource usage under the names that every Prometheus client uses, read from `/proc/self` on demand.
///
/// Source: Prometheus, "Writing client libraries", process metrics; proc(5) for the fields of `stat`.
package struct ProcessCollector: Sendable {
    /// Bytes read of `stat`, which has a few hundred.
    private static let readLimit = 4096
    /// Indices of fields in `stat`, counted after the command's name in parentheses, which may contain anything.
    private enum Field {
        static let userTicks = 11
        static let systemTicks = 12
        static let startTicks = 19
        static let virtualBytes = 20
        static let residentPages = 21
    }

    private let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    private let pageSize = Double(sysconf(Int32(_SC_PAGESIZE)))
    private let startTime: Double?

    /// Creates a collector for this process.
    package init() {
        // The boot time, computed from the clocks: `/proc/stat`, which contains it too, is not available to every
        // service.
        let boot = Self.time(CLOCK_REALTIME) - Self.time(CLOCK_BOOTTIME)
        let ticks = self.ticks
        self.startTime = Self.fields(Self.text("/proc/self/stat")).flatMap { Double($0[Field.startTicks]) }
            .map { boot + $0 / ticks }
    }

    /// Returns the current values; those that cannot be read are omitted.
    package func samples() -> [MetricSample] {
        var samples: [MetricSample] = []
        if let fields = Self.fields(Self.text("/proc/self/stat")) {
            let number = { (index: Int) in Double(fields[index]) ?? 0 }
            samples += [
                MetricSample(
                    "process_cpu_seconds_total", .counter, help: "User and system CPU time.",
                    value: (number(Field.userTicks) + number(Field.systemTicks)) / self.ticks),
                MetricSample(
                    "process_virtual_memory_bytes", .gauge, help: "Virtual memory size.",
                    value: number(Field.virtualBytes)),
                MetricSample(
                    "process_resident_memory_bytes", .gauge, help: "Resident memory size.",
                    value: number(Field.residentPages) * self.pageSize),
            ]
        }
        if let startTime = self.startTime {
            samples.append(
                MetricSample(
                    "process_start_time_seconds", .gauge, help: "Start time of the process in seconds since 1970.",
                    value: startTime))
        }
        return samples + self.descriptors()
    }

    private func descriptors() -> [MetricSample] {
        var limits = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limits) == 0 else { return [] }
        let maximum = MetricSample(
            "process_max_fds", .gauge, help: "Maximum number of open file descriptors.",
            value: Double(limits.rlim_cur))
        guard let count = Self.entryCount("/proc/self/fd") else { return [maximum] }
        return [
            maximum, MetricSample("process_open_fds", .gauge, help: "Open file descriptors.", value: Double(count)),
        ]
    }

    /// Returns the fields after the command's name, or `nil` if the text does not have the form of proc(5).
    static func fields(_ stat: String?) -> [Substring]? {
        guard let stat, let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split { $0 == " " || $0 == "\n" }
        return fields.count > Field.residentPages ? fields : nil
    }

    private static func text(_ path: String) -> String? {
        guard let reader = try? BoundedReader(path: path), let bytes = try? reader.read(limit: Self.readLimit) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func time(_ clock: clockid_t) -> Double {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Returns the number of entries of a directory, without `.`, `..` and the descriptor used for reading it.
    private static func entryCount(_ path: String) -> Int? {
        guard let folder = unsafe opendir(path) else { return nil }
        defer { unsafe closedir(folder) }
        var count = -3
        while unsafe readdir(folder) != nil { count += 1 }
        return count
    }
}
