import Foundation
import Testing

@testable import LocalFiles

@Suite struct LocalFilesTests {
    private func withDirectory<R>(_ body: (String) throws -> R) throws -> R {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: directory) }
        return try body(directory.path)
    }

    @Test(
        "A file is trusted if nobody but root and the process's user can write it",
        arguments: [
            (1000, 0o100600, true), (1000, 0o100664, true), (0, 0o100644, true), (1001, 0o100600, false),
            (1000, 0o100602, false), (0, 0o100666, false),
        ] as [(UInt32, UInt32, Bool)])
    func trust(owner: UInt32, mode: UInt32, isTrusted: Bool) {
        #expect((FileTrust.problem(owner: owner, mode: mode, user: 1000) == nil) == isTrusted)
    }

    @Test("Symbolic links at the end of a path are followed, relative to their directory; a cycle is an error")
    func links() throws {
        try self.withDirectory { directory in
            let files = FileManager.default
            try files.createDirectory(atPath: "\(directory)/sub", withIntermediateDirectories: false)
            try files.createSymbolicLink(atPath: "\(directory)/a", withDestinationPath: "sub/b")
            try files.createSymbolicLink(atPath: "\(directory)/sub/b", withDestinationPath: "\(directory)/missing")
            try files.createSymbolicLink(atPath: "\(directory)/circle", withDestinationPath: "circle")
            #expect(try FileLinks.resolve("\(directory)/a") == "\(directory)/missing")
            #expect(try FileLinks.resolve("\(directory)/plain") == "\(directory)/plain")
            #expect(try FileLinks.resolve("/dev/stdout").hasPrefix("/proc/"))
            #expect(throws: SystemFailure.self) { try FileLinks.resolve("\(directory)/circle") }
        }
    }

    @Test("The status of a file is that of the file at the path, not of the target of a link")
    func status() throws {
        try self.withDirectory { directory in
            let path = "\(directory)/file"
            #expect(FileStatus(of: path) == nil)
            try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
            #expect(chmod(path, 0o604) == 0)
            let file = try #require(FileStatus(of: path))
            #expect(file.kind == .regular && file.size == 3 && file.permissions == 0o604)
            try FileManager.default.createSymbolicLink(atPath: "\(directory)/link", withDestinationPath: path)
            #expect(FileStatus(of: "\(directory)/link")?.kind == .symbolicLink)
            #expect(FileStatus(of: directory)?.kind == .directory)
            #expect(FileStatus(of: "/dev/null")?.kind == .other)
            #expect(FileStatus(descriptor: -1) == nil)
        }
    }

    @Test("A lock excludes another one, can be tested without being taken, and leaves no file behind")
    func lock() throws {
        try self.withDirectory { directory in
            let path = "\(directory)/file"
            #expect(FileLock.holder(of: path) == nil)
            var lock: FileLock? = try FileLock(claiming: path)
            #expect(FileLock.holder(of: path) == FileLock.Held(file: "\(path).lock", pid: getpid()))
            #expect(throws: FileLock.Failure.self) { try FileLock(claiming: path) }
            _ = lock
            lock = nil
            #expect(FileLock.holder(of: path) == nil)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
            // What a killed process leaves is no lock.
            try Data("1\n".utf8).write(to: URL(fileURLWithPath: "\(path).lock"))
            #expect(FileLock.holder(of: path) == nil)
            _ = try FileLock(claiming: path)
        }
    }

    @Test("Of many concurrent claims of a path, only one holds it at a time")
    func manyLocks() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appendingPathComponent("file").path
        let claims = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var count = 0
                    for _ in 0..<200 {
                        guard let lock = try? FileLock(claiming: path) else { continue }
                        // Creation fails if another has it now.
                        let file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0o600)
                        if file < 0 { return -1_000_000 }
                        close(file)
                        unlink(path)
                        count += 1
                        withExtendedLifetime(lock) {}
                    }
                    return count
                }
            }
            return await group.reduce(0, +)
        }
        #expect(claims > 0)
    }

    @Test("A file that others may write is refused, and a new file is for its owner and group")
    func appended() throws {
        try self.withDirectory { directory in
            let path = "\(directory)/file"
            do {
                var file = try AppendedFile(path: path)
                try file.append(Array("a\n".utf8))
                #expect(file.tornBytes == 0)
            }
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode.map { $0 & 0o137 } == 0)
            try #require(chmod(path, 0o666) == 0)
            #expect(throws: SystemFailure.self) { _ = try AppendedFile(path: path) }
        }
    }
}
