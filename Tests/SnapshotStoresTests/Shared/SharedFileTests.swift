import CSluiceLookup
import Foundation
import LocalFiles
import StageKit
import Testing

@testable import SnapshotStores

@Suite struct SharedFileTests {
    private static func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test(
        "Only the file of a shared store is replaced, and any other file at the path is kept",
        arguments: ["file", "directory", "link", "own", "empty"])
    func refusals(kind: String) throws {
        let file = try SharedDirectory()
        let files = FileManager.default
        let reason: String
        var holder: Harness?
        switch kind {
        case "directory":
            try files.createDirectory(atPath: file.path, withIntermediateDirectories: false)
            reason = "not a regular file"
        case "link":
            try files.createSymbolicLink(atPath: file.path, withDestinationPath: "/etc/passwd")
            reason = "symbolic link"
        case "own":
            holder = try Harness.shared(file)
            reason = "another store of this worker is shared there"
        default:
            try Data(kind == "file" ? "precious".utf8 : "".utf8).write(to: URL(fileURLWithPath: file.path))
            reason = "not the file of a shared store"
        }
        let before = FileIdentity(of: file.path)
        let message = Self.message { _ = try Harness.shared(file) }
        #expect(message.contains(reason) && message.contains(file.path) && message.contains("sessions"))
        #expect(FileIdentity(of: file.path) == before)
        #expect(try file.names == ["sessions"])
        _ = holder
    }

    @Test("The file has the permissions of its settings whatever the umask, and a missing directory is created")
    func permissions() throws {
        let file = try SharedDirectory()
        let path = file.directory.appendingPathComponent("new/sessions").path
        let settings = ShareSettings(path: path, fields: [], mode: 0o640, group: "\(getegid())")
        let harness = Harness(share: StoreShare(settings, logger: nil))
        try harness.store.open()
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o640 && status.st_gid == getegid() && status.st_uid == geteuid())
    }

    @Test("A group that does not exist is an error, and leaves nothing behind")
    func unknownGroup() throws {
        let file = try SharedDirectory()
        let harness = Harness(share: file.share([], group: "no-such-group-exists"))
        let message = Self.message { try harness.store.open() }
        #expect(message.contains("no-such-group-exists"))
        #expect(try file.names == [])
        // The store itself still works.
        _ = try harness.upsert("session-1", 1)
        #expect(harness.store.snapshot(for: "session-1") != nil)
    }

    @Test(
        "A file that others may write or that is not a store is not read",
        arguments: ["writable", "text", "short", "fifo"])
    func unreadable(kind: String) throws {
        let file = try SharedDirectory()
        let harness = try Harness.shared(file)
        _ = try harness.upsert("session-1", 1)
        var expected = SLUICE_STATUS_INCOMPATIBLE
        switch kind {
        case "writable":
            #expect(chmod(file.path, 0o646) == 0)
            expected = SLUICE_STATUS_UNREADABLE
        case "fifo":
            #expect(unlink(file.path) == 0 && mkfifo(file.path, 0o600) == 0)
            expected = SLUICE_STATUS_UNREADABLE
        default:
            let size = kind == "text" ? 10_000 : 100
            try Data([UInt8](repeating: 0x41, count: size)).write(to: URL(fileURLWithPath: file.path))
        }
        let reader = try SharedReader(file.path)
        #expect(reader.ask("session-1") == SLUICE_STALE)
        #expect(reader.state.status == expected)
    }

    @Test("Names that readers cannot ask for are refused")
    func longNames() {
        let name = String(repeating: "n", count: Int(SLUICE_MAX_NAME))
        #expect(SharedLayout.pack([name]) != nil)
        #expect(SharedLayout.pack([name + "n"]) == nil)
        #expect(SharedLayout.pack([String](repeating: name, count: 20)) == nil)
    }

    @Test("The file takes space for the store's content, not for its capacity")
    func space() throws {
        let file = try SharedDirectory()
        let harness = Harness(shards: MemoryStore.shardCount, share: file.share(["status"]))
        try harness.store.open()
        var status = stat()
        #expect(stat(file.path, &status) == 0)
        let empty = status.st_blocks * 512
        #expect(empty <= 256 << 10)
        for key in UInt64(0)..<10_000 { _ = try harness.upsert("session-\(key)", key + 1) }
        #expect(stat(file.path, &status) == 0)
        #expect(status.st_blocks * 512 - empty < 5 << 20)
    }

    @Test(
        "A full file system makes the store refuse new sessions, and lookups continue",
        .enabled(if: SmallFileSystem.isAvailable, "file systems cannot be mounted here"))
    func fullFileSystem() throws {
        let small = try SmallFileSystem(kibibytes: 3072)
        let settings = ShareSettings(path: small.path + "/sessions", fields: ["status"])
        let harness = Harness(
            conditions: try .named(["active": ["status": ["active"]]]), share: SharedDirectory.patient(settings))
        try harness.store.open()
        let reader = try SharedReader(settings.path)
        var held = UInt64(0)
        let message = Self.message {
            for key in UInt64(0)..<1_000_000 {
                _ = try harness.upsert("session-\(key)", key + 1)
                held = key + 1
            }
        }
        #expect(message.contains("has no space left") && message.contains(settings.path))
        #expect(held > 1000)
        #expect((0..<held).allSatisfy { reader.ask("session-\($0)") == SLUICE_ALLOWED })
        #expect(reader.ask("session-\(held)") == SLUICE_ABSENT)
        #expect(try harness.upsert("session-1", held + 5, status: "revoked") == .applied)
        #expect(reader.ask("session-1") == SLUICE_REFUSED)
        // Emptied and filled again while the file system is full.
        harness.store.removeAll()
        #expect(try (0..<held).allSatisfy { try harness.upsert("session-\($0)", 2 * held + $0) == .applied })
        // A file system without room for even an empty store.
        try small.fill()
        let other = ShareSettings(path: small.path + "/other", fields: [])
        let late = Harness(share: StoreShare(other, logger: nil))
        #expect(Self.message { try late.store.open() }.contains("No space left"))
        #expect(!FileManager.default.fileExists(atPath: other.path))
    }
}

/// A mounted file system of a small size.
final class SmallFileSystem {
    let path: String

    static let isAvailable: Bool = {
        guard geteuid() == 0 else { return false }
        return (try? SmallFileSystem(kibibytes: 64)) != nil
    }()

    struct Unavailable: Error {}

    init(kibibytes: Int) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        self.path = directory.path
        guard mount("tmpfs", self.path, "tmpfs", 0, "size=\(kibibytes)k,mode=0755") == 0 else {
            rmdir(self.path)
            throw Unavailable()
        }
    }

    /// Uses up the space that is left.
    func fill() throws {
        let file = open(self.path + "/filler", O_WRONLY | O_CREAT, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        let page = [UInt8](repeating: 1, count: 4096)
        while write(file, page, page.count) > 0 {}
    }

    deinit {
        umount2(self.path, 2 /* MNT_DETACH */)
        rmdir(self.path)
    }
}
