import Glibc

/// The memory of this process.
struct MemoryUse: Sendable {
    /// Bytes that malloc has handed out.
    let allocated: Int
    /// Bytes that are resident.
    let resident: Int

    /// The longest text that malloc or the kernel write, far above what they do.
    private static let textLimit = 1 << 20

    /// Asks malloc and the kernel; 0 for what they do not tell.
    static var now: MemoryUse {
        var resident = 0
        if let file = unsafe fopen("/proc/self/statm", "r") {
            let pages = unsafe self.text(of: file).split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            resident = pages * sysconf(Int32(_SC_PAGESIZE))
            unsafe fclose(file)
        }
        return MemoryUse(allocated: Self.allocated(mallocInfo: self.mallocInfo), resident: resident)
    }

    /// The most that was resident, in KiB: not `ru_maxrss`, which a new program inherits from whoever started it.
    static var peakKiB: Int {
        guard let file = unsafe fopen("/proc/self/status", "r") else { return 0 }
        defer { unsafe fclose(file) }
        let line = unsafe self.text(of: file).split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0
    }

    /// Bytes handed out, of the text that glibc's `malloc_info` writes: what the heaps have of the kernel, without what
    /// lies free in them, and what was mapped on its own. The totals of all heaps are the last of each kind.
    static func allocated(mallocInfo text: String) -> Int {
        func size(_ tag: String) -> Int {
            guard let line = text.split(separator: "\n").last(where: { $0.hasPrefix("<\(tag)") }),
                let attribute = line.split(separator: " ").first(where: { $0.hasPrefix("size=") })
            else { return 0 }
            return Int(attribute.dropFirst(6).prefix { $0.isNumber }) ?? 0
        }
        return size("system type=\"current\"") - size("total type=\"fast\"") - size("total type=\"rest\"")
            + size("total type=\"mmap\"")
    }

    /// What `malloc_info` writes. Swift's module map of glibc leaves its header out, so it is found by name.
    private static var mallocInfo: String {
        guard let symbol = unsafe dlsym(nil, "malloc_info"), let file = unsafe tmpfile() else { return "" }
        typealias Function = @convention(c) (Int32, UnsafeMutablePointer<FILE>) -> Int32
        // Safe as long as the declaration is glibc's: int malloc_info(int options, FILE *stream).
        let mallocInfo = unsafe unsafeBitCast(symbol, to: Function.self)
        defer { unsafe fclose(file) }
        guard unsafe mallocInfo(0, file) == 0 else { return "" }
        unsafe rewind(file)
        return unsafe self.text(of: file)
    }

    private static func text(of file: UnsafeMutablePointer<FILE>) -> String {
        var bytes = [UInt8](repeating: 0, count: self.textLimit)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
