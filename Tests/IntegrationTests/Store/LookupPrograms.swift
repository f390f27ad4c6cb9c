import Foundation
import Testing

/// The C library, built for programs in other languages as the Debian package builds it.
enum LookupLibrary {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Builds the library below a directory, in `usr/lib` and `usr/include`.
    static func build(in folder: URL) async throws {
        let script = self.root.appendingPathComponent("Sources/Packaging/library").path
        let built = try await ToolRun(
            ["/usr/bin/env", "-u", "DEB_HOST_MULTIARCH", "bash", script, folder.path], in: folder)
        #expect(built.status == 0, "\(built.output)")
    }

    /// A file that the documentation shows.
    static func example(_ name: String) throws -> URL {
        try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil))
            .appendingPathComponent("lookup/\(name)")
    }
}

/// A program that ran to its end.
struct ToolRun {
    /// The exit status, -1 if a signal ended it.
    let status: Int32
    /// Standard output and standard error.
    let output: String

    /// Runs a program found in PATH and waits for its end.
    init(_ command: [String], in folder: URL) async throws {
        let log = "\(UUID().uuidString).log"
        let child = try Child(command, in: folder, log: log)
        var ended: Int32?
        do {
            try await eventually("\(command) ends") {
                ended = child.endedStatus()
                return ended != nil
            }
        } catch {
            kill(child.pid, SIGKILL)
            _ = child.wait()
            throw error
        }
        self.status = ended ?? -1
        self.output = try String(contentsOf: folder.appendingPathComponent(log), encoding: .utf8)
    }

    /// Whether a program is in PATH.
    static func isInstalled(_ name: String) -> Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
    }
}

/// A language with an example program that reads a shared store.
enum LookupLanguage: String {
    case c
    case python
    case go

    /// The compiler or interpreter.
    var tool: String {
        switch self {
        case .c: "cc"
        case .python: "python3"
        case .go: "go"
        }
    }

    /// Whether the example can be built here: the library needs a C compiler in any case.
    var isAvailable: Bool { ToolRun.isInstalled(self.tool) && ToolRun.isInstalled("cc") }

    /// Builds the example with the library in a directory, and returns the command that runs it.
    func command(in folder: URL) async throws -> [String] {
        let usr = folder.appendingPathComponent("usr").path
        let program = folder.appendingPathComponent("lookup").path
        let source = try LookupLibrary.example("lookup.\(self == .python ? "py" : self.rawValue)").path
        let run = ["/usr/bin/env", "LD_LIBRARY_PATH=\(usr)/lib"]
        let build: [String]
        switch self {
        case .c:
            build = [
                "cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-I\(usr)/include", source, "-L\(usr)/lib",
                "-lsluice-lookup", "-o", program,
            ]
        case .python: return run + ["PYTHONDONTWRITEBYTECODE=1", "python3", source]
        case .go:
            build = [
                "/usr/bin/env", "CGO_ENABLED=1", "CGO_CFLAGS=-I\(usr)/include", "CGO_LDFLAGS=-L\(usr)/lib",
                "GOCACHE=\(folder.path)/gocache", "GOPATH=\(folder.path)/gopath", "GOFLAGS=", "go", "build", "-o",
                program,
                source,
            ]
        }
        let built = try await ToolRun(build, in: folder)
        #expect(built.status == 0, "\(built.output)")
        return run + [program]
    }
}

/// nginx with the Lua module.
struct NginxWithLua {
    /// The directory below which the module is installed: empty, or where Debian's packages were unpacked.
    private let root: String

    /// Finds the module, or returns `nil` if it is not installed.
    init?() {
        let unpacked = ProcessInfo.processInfo.environment["SLUICE_NGINX_LUA"]
        let roots = [unpacked, ""].compactMap(\.self)
        let found = roots.first { root in
            Self.modules.allSatisfy { FileManager.default.fileExists(atPath: "\(root)/usr/lib/nginx/modules/\($0)") }
        }
        guard let found, GatewayProgram.nginx.isInstalled else { return nil }
        self.root = found
    }

    private static let modules = ["ndk_http_module.so", "ngx_http_lua_module.so"]

    /// Starts nginx with the configuration of the guide, in a directory with the library.
    ///
    /// - Parameters:
    ///   - settings: Settings of nginx besides those of the guide.
    ///   - change: Changes the configuration and the script.
    func start(
        in folder: URL, sessions: String, port: Int, application: Int, settings: String = "",
        change: (String) -> String = { $0 }
    ) throws -> Child {
        func text(_ name: String) throws -> String {
            change(try String(contentsOf: LookupLibrary.example(name), encoding: .utf8))
                .replacingOccurrences(of: ":8080", with: ":\(port)")
                .replacingOccurrences(of: ":8000", with: ":\(application)")
                .replacingOccurrences(of: "/etc/nginx", with: folder.path)
                .replacingOccurrences(of: ";;", with: ";\(self.root)/usr/share/lua/5.1/?.lua;;")
                .replacingOccurrences(of: "/dev/shm/sluice/sessions", with: sessions)
        }
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \(folder.path)/\($0);"
        }
        let modules = Self.modules.map { "load_module \(self.root)/usr/lib/nginx/modules/\($0);" }
        let own = ["daemon off; master_process off; pid \(folder.path)/pid; error_log stderr; events {}"]
        let http = ["http {", "access_log off;", settings] + places
        let lines = try modules + own + http + [text("nginx-lua.conf"), "}"]
        let file = folder.appendingPathComponent("nginx.conf")
        try Data(lines.joined(separator: "\n").utf8).write(to: file)
        try Data(text("sluice.lua").utf8).write(to: folder.appendingPathComponent("sluice.lua"))
        var libraries = ["lib", "usr/lib"].flatMap { place in
            ["x86_64", "aarch64"].map { "\(self.root)/\(place)/\($0)-linux-gnu" }
        }
        libraries.append("\(folder.path)/usr/lib")
        let script = "exec 3<&0; \"$@\" 3<&- & server=$!; read line <&3; kill $server; wait $server"
        let command = [
            "/usr/bin/env", "LD_LIBRARY_PATH=\(libraries.joined(separator: ":"))", "/usr/sbin/nginx", "-p", folder.path,
            "-c", file.path,
        ]
        return try Child(["/bin/sh", "-c", script, "sh"] + command, in: folder, log: "nginx.log")
    }
}
