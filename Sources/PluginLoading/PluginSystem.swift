import ComponentKit
import Glibc
import LocalFiles

/// The system calls of loading a plugin: all unsafe code of this module.
///
/// The invariant: `load` is called for a file only after its stamp was found to fit (`PluginImage`, `PluginLoader`) and
/// its location to be safe (`PluginTrust`). Its entry function was therefore compiled from the source that `sluice
/// plugin build` writes, against this very ComponentKit, so it has the C signature assumed below and returns the result of
/// `PluginHandover.handOver`. A library is never unloaded, so that its types, which exist as long as the process, never
/// lose their code.
enum PluginSystem {
    /// The entry function's name.
    static let entryName = "sluice_plugin_types"
    /// The largest file read, in bytes: one type has about 100 KiB.
    static let byteLimit = 256 << 20

    /// A call that failed.
    struct Failure: Error {
        /// The system's message.
        var message: String

        /// The failure for the current `errno`.
        static var last: Failure { Failure(message: unsafe String(cString: strerror(errno))) }
    }

    /// The effective user id of this process.
    static var user: UInt32 { geteuid() }

    /// The path without symbolic links, `.` and `..`.
    static func canonicalPath(_ path: String) throws(Failure) -> String {
        guard let found = unsafe realpath(path, nil) else { throw .last }
        defer { unsafe free(found) }
        return unsafe String(cString: found)
    }

    /// The file system's information about a path without following symbolic links, and a value that changes when the
    /// file does.
    static func entry(_ path: String) throws(Failure) -> (entry: PluginTrust.FileStatus, identity: FileIdentity) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { throw .last }
        let entry = PluginTrust.FileStatus(path: path, owner: status.st_uid, mode: status.st_mode)
        let identity = FileIdentity(
            device: UInt64(status.st_dev), node: UInt64(status.st_ino), size: Int64(status.st_size),
            seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
        return (entry, identity)
    }

    /// The file's bytes; fails if there are more than the limit.
    static func read(_ path: String) throws(Failure) -> [UInt8] {
        let bytes: [UInt8]
        do throws(BoundedReader.SystemError) {
            bytes = try BoundedReader(path: path).read(limit: Self.byteLimit)
        } catch {
            throw Failure(message: unsafe String(cString: strerror(error.number)))
        }
        guard bytes.count <= Self.byteLimit else {
            throw Failure(message: "is larger than \(Self.byteLimit >> 20) MiB")
        }
        return bytes
    }

    /// Loads the library and calls its entry function for its types; see the invariant above.
    ///
    /// Every symbol that the library needs is resolved before any of its code runs; if one is missing, loading fails.
    static func load(_ path: String) throws(Failure) -> ComponentTypes {
        guard let library = unsafe dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw Failure(message: unsafe dlerror().map { unsafe String(cString: $0) } ?? "the loader gave no reason")
        }
        guard let symbol = unsafe dlsym(library, Self.entryName) else {
            throw Failure(message: "has no function \(Self.entryName)")
        }
        typealias EntryPoint = @convention(c) () -> UnsafeMutableRawPointer
        let entry = unsafe unsafeBitCast(symbol, to: EntryPoint.self)
        return unsafe PluginHandover.takeOver(entry()).types
    }
}

/// Properties that change when a file is replaced or written to.
struct FileIdentity: Sendable, Equatable {
    /// The device of the file.
    var device: UInt64
    /// The inode number of the file.
    var node: UInt64
    /// The size in bytes.
    var size: Int64
    /// The modification time in seconds since 1970.
    var seconds: Int64
    /// The nanoseconds of the modification time.
    var nanoseconds: Int64
}
