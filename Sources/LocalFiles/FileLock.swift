#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An exclusive claim on a path, which ends with the process, however that ends.
///
/// It is a lock on a separate file, `PATH.lock`, which contains the process id and is removed when the claim ends. The
/// lock belongs to the open file, not to the process, so two claims in one process exclude each other too.
package final class FileLock: Sendable {
    /// The claim that another process, or another part of this one, holds.
    package struct Held: Error, Sendable, Equatable {
        /// The file that is locked.
        package var file: String
        /// The id of the process that holds the lock, if it is known.
        package var pid: Int32?
    }

    /// The reason why the claim failed.
    package enum Failure: Error {
        /// Another claim holds the lock.
        case held(Held)
        /// The lock file cannot be created or locked.
        case system(SystemFailure)
    }

    /// Maximum number of attempts while other claims, which begin and end, remove and create the lock file.
    private static let attempts = 100
    // Linux: include/uapi/asm-generic/fcntl.h; the C library shows them only with _GNU_SOURCE.
    private static let getLock: Int32 = 36
    private static let setLock: Int32 = 37

    private let file: String
    private let descriptor: Int32

    /// Claims a path; a symbolic link there is followed.
    package init(claiming path: String) throws(Failure) {
        let file: String
        do throws(SystemFailure) {
            file = try FileLinks.resolve(path) + ".lock"
        } catch {
            throw .system(error)
        }
        for _ in 0..<Self.attempts {
            let descriptor = try Self.locked(file)
            if Self.isCurrent(descriptor, file) {
                (self.file, self.descriptor) = (file, descriptor)
                Self.writeID(descriptor)
                return
            }
            close(descriptor)
        }
        throw .system(SystemFailure("lock \(file)", reason: "it is repeatedly removed and created by another process"))
    }

    deinit {
        // Removed before it is unlocked: a process that has opened it before notices after locking that it is gone.
        unsafe unlink(self.file)
        close(self.descriptor)
    }

    /// Returns the claim on a path, or `nil` if there is none. Takes no lock, so it does not interfere with claims.
    package static func holder(of path: String) -> Held? {
        guard let file = try? FileLinks.resolve(path) + ".lock" else { return nil }
        let descriptor = unsafe open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        guard unsafe fcntl(descriptor, self.getLock, &lock) == 0, lock.l_type != Int16(F_UNLCK) else { return nil }
        return Held(file: file, pid: self.readID(descriptor))
    }

    private static func locked(_ file: String) throws(Failure) -> Int32 {
        let descriptor = unsafe open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else { throw .system(SystemFailure("open \(file)")) }
        var status = stat()
        // A lock file created by another user could be another name of a file that must not be changed.
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_uid == geteuid(), status.st_nlink <= 1
        else {
            close(descriptor)
            throw .system(SystemFailure("open \(file)", reason: "it is not a lock file of this user: remove it"))
        }
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        if unsafe fcntl(descriptor, self.setLock, &lock) == 0 { return descriptor }
        let failure = SystemFailure("lock \(file)")
        let pid = self.readID(descriptor)
        close(descriptor)
        guard failure.number == EAGAIN || failure.number == EACCES else { throw .system(failure) }
        throw .held(Held(file: file, pid: pid))
    }

    /// Whether the path still names the locked file: the previous holder of the lock may have removed it.
    private static func isCurrent(_ descriptor: Int32, _ file: String) -> Bool {
        var (mine, current) = (stat(), stat())
        guard unsafe fstat(descriptor, &mine) == 0, unsafe lstat(file, &current) == 0 else { return false }
        return mine.st_ino == current.st_ino && mine.st_dev == current.st_dev
    }

    /// Writes the process id for processes whose claim is refused. If that fails, as on a full disk, the lock is valid
    /// nevertheless.
    private static func writeID(_ descriptor: Int32) {
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0 else { return }
        _ = unsafe pwrite(descriptor, text, text.count, 0)
    }

    private static func readID(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }
}
