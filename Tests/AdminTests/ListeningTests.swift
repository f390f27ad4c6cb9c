import Foundation
import Glibc
import HTTPBase
import NIOCore
import StageKit
import Testing

@testable import Admin

@Suite(.timeLimit(.minutes(10))) struct ListeningTests {
    private func withDirectory<R>(_ body: (String) async throws -> R) async throws -> R {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
            .path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        return try await body(directory)
    }

    @Test("A Unix socket answers only its own user, and is removed at the end")
    func unixSocket() async throws {
        try await self.withDirectory { directory in
            let path = "\(directory)/admin.sock"
            try await AdminFixture.serve(AdminFixture.context(), listen: .unix(path: path)) { address in
                #expect(address == .unix(path: path))
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                #expect(attributes[.posixPermissions] as? Int == 0o600)
                let response = try await RawClient.request(address, "/livez")
                #expect(response.status == 200)
            }
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test("A Unix socket has the mode and the group of its settings, and an unknown group is an error")
    func socketAccess() async throws {
        try await self.withDirectory { directory in
            let path = "\(directory)/admin.sock"
            var settings = AdminSettings(listen: .unix(path: path))
            settings.mode = 0o660
            settings.group = LocatedName("\(getgid())", at: SettingPosition(line: 1, column: 1))
            try await AdminFixture.serve(AdminFixture.context(), settings: settings) { address in
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                #expect(attributes[.posixPermissions] as? Int == 0o660)
                #expect(try await RawClient.request(address, "/livez").status == 200)
            }
            settings.group = LocatedName("no-such-group", at: SettingPosition(line: 1, column: 1))
            let error = await #expect(throws: ServerFailure.self) {
                try await AdminFixture.serve(AdminFixture.context(), settings: settings) { _ in }
            }
            #expect(error?.description.contains("this machine has no group \"no-such-group\"") == true)
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test("A stale socket without a listener is replaced")
    func stale() async throws {
        try await self.withDirectory { directory in
            let path = "\(directory)/admin.sock"
            // Not with NIO, which removes the file: this is what a worker leaves that was killed.
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            let bound = try SocketAddress(unixDomainSocketPath: path).withSockAddr {
                bind(descriptor, $0, socklen_t($1))
            }
            close(descriptor)
            #expect(bound == 0)
            #expect(FileManager.default.fileExists(atPath: path))
            let response = try await AdminFixture.serve(AdminFixture.context(), listen: .unix(path: path)) {
                try await RawClient.request($0, "/livez")
            }
            #expect(response.status == 200)
        }
    }

    @Test("An address in use is an error that names it, and the owner keeps the address")
    func inUse() async throws {
        try await self.withDirectory { directory in
            for listen in [ListenAddress.tcp(host: "127.0.0.1", port: 0), .unix(path: "\(directory)/admin.sock")] {
                try await AdminFixture.serve(AdminFixture.context(), listen: listen) { address in
                    await #expect(throws: ServerFailure("admin.listen", .addressInUse(address))) {
                        try await AdminFixture.serve(AdminFixture.context(), listen: address) { _ in }
                    }
                    let response = try await RawClient.request(address, "/livez")
                    #expect(response.status == 200)
                }
            }
        }
    }

    @Test("A file that is not a socket stays")
    func file() async throws {
        try await self.withDirectory { directory in
            let path = "\(directory)/admin.sock"
            try Data("mine".utf8).write(to: URL(fileURLWithPath: path))
            await #expect(throws: ServerFailure("admin.listen", .notASocket(path: path))) {
                try await AdminFixture.serve(AdminFixture.context(), listen: .unix(path: path)) { _ in }
            }
            #expect(FileManager.default.contents(atPath: path) == Data("mine".utf8))
        }
    }

    @Test("A missing directory is an error that names the address")
    func missingDirectory() async throws {
        try await self.withDirectory { directory in
            let address = ListenAddress.unix(path: "\(directory)/none/admin.sock")
            let error = await #expect(throws: ServerFailure.self) {
                try await AdminFixture.serve(AdminFixture.context(), listen: address) { _ in }
            }
            #expect(error?.description.hasPrefix("admin.listen: cannot listen on \(address): ") == true)
        }
    }

    @Test("A server that is off runs until it is shut down, and one that is cancelled ends")
    func off() async throws {
        for listen in [ListenAddress.off, .tcp(host: "127.0.0.1", port: 0)] {
            let server = AdminServer(
                settings: AdminSettings(listen: listen), context: AdminFixture.context(), logger: AdminFixture.silent)
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                group.cancelAll()
            }
        }
    }

    @Test("A server that is cancelled at any moment of its start terminates")
    func cancelledAtOnce() async throws {
        // What a cancellation wakes and what starts at the same moment may each hold a lock that the other one waits for.
        for round in 0..<300 {
            let server = AdminServer(
                settings: AdminSettings(listen: .tcp(host: "127.0.0.1", port: 0)), context: AdminFixture.context(),
                logger: AdminFixture.silent)
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                try? await Task.sleep(for: .microseconds(round * 20))
                group.cancelAll()
            }
        }
    }
}
