import Foundation

/// The names of the experiments with a store in shared memory.
enum SharedMemoryBench {
    /// The experiment with nginx, in the report.
    static let nginx = "shared memory in nginx"
    /// A lookup in the process of the worker.
    static let inProcess = "in process"
    /// A lookup of another process with the C library.
    static let library = "C library"
    /// A lookup of another process with the C library by LuaJIT's FFI.
    static let luaJIT = "LuaJIT"
    /// nginx with Lua that does nothing.
    static let nothing = "Lua that does nothing"
    /// nginx with the check of the guide.
    static let check = "Lua with the check"
    /// Numbers of sessions, besides those of the plan.
    static let sessions = [100_000]
    /// Where the library of LuaJIT is, by the names of Debian's directories.
    static let luaJITLibraries = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/libluajit-5.1.so.2" }
    /// The directory of the shared files, which is removed at the end.
    static let folder = "/dev/shm/sluice-bench-\(ProcessInfo.processInfo.processIdentifier)"
    /// Time in seconds until a child has filled its store: a million sessions take seconds.
    static let fillLimit = 300.0
    /// Time in seconds of one round of lookups in one language: four million lookups take seconds.
    static let roundLimit = 60.0
}

extension Bench {
    /// Lookups beside a writer at 20,000 updates per second: in the worker, in other processes, and in nginx.
    func shared(into report: inout BenchReport) throws {
        let library = try self.yardsticks.lookupLibrary()
        let path = "\(SharedMemoryBench.folder)/sessions"
        // Also after a child was killed: its sessions would stay in memory.
        defer { try? FileManager.default.removeItem(atPath: SharedMemoryBench.folder) }
        let luaJIT = SharedMemoryBench.luaJITLibraries.first { FileManager.default.fileExists(atPath: $0) }
        if luaJIT == nil { report.notes.append("shared memory: LuaJIT was skipped: libluajit-5.1-2 is not installed") }
        for sessions in SharedMemoryBench.sessions + self.plan.lookupSessions {
            self.say("shared memory, \(sessions) sessions, \(self.plan.rounds) rounds")
            var arguments = [
                "shared", "--path", path, "--sessions", "\(sessions)", "--rounds", "\(self.plan.rounds)",
            ]
            if let luaJIT {
                arguments += [
                    "--luajit", self.yardsticks.program("luajit"), "--luajit-library", luaJIT, "--script",
                    self.yardsticks.script("shared_lookups.lua"), "--library", "\(library)/libsluice-lookup.so",
                ]
            }
            let limit = SharedMemoryBench.fillLimit + Double(3 * self.plan.rounds) * SharedMemoryBench.roundLimit
            let found: [SharedFigures] = try self.child(arguments, limit: limit)
            let subjects: [(String, [Double])] = [
                (SharedMemoryBench.inProcess, found.map(\.inProcess)),
                (SharedMemoryBench.library, found.map(\.library)),
                (SharedMemoryBench.luaJIT, found.compactMap(\.luaJIT)),
            ]
            for (subject, values) in subjects where !values.isEmpty {
                report.rows.append(
                    Self.row(Names.shared, "\(sessions) sessions", subject, [(Names.lookup, values)]))
            }
        }
        try self.sharedInNginx(library, path, into: &report)
    }

    /// nginx with Lua that checks sessions in shared memory, beside the same nginx with Lua that does nothing.
    private func sharedInNginx(_ library: String, _ path: String, into report: inout BenchReport) throws {
        guard let wrk = ChildProcess.find("wrk"), let lua = NginxLua() else {
            report.notes.append(
                "\(SharedMemoryBench.nginx) was skipped: wrk, nginx or its Lua module is missing: install"
                    + " libnginx-mod-http-lua, or unpack it with libnginx-mod-http-ndk, libluajit2-5.1-2, lua-resty-core"
                    + " and lua-resty-lrucache into a directory named by SLUICE_NGINX_LUA")
            return
        }
        let sessions = self.plan.lookupSessions[0]
        self.say("\(SharedMemoryBench.nginx), \(sessions) sessions")
        let folder = URL(fileURLWithPath: self.folder).path
        let keys = "\(folder)/shared-keys.txt"
        let child = try ChildProcess(
            self.own, ["child", "shared-store", "--path", path, "--sessions", "\(sessions)", "--keys", keys],
            keepsInput: true)
        defer { child.kill() }
        _ = try child.firstLine(limit: SharedMemoryBench.fillLimit)
        let port = Int.random(in: 12_000..<32_000)
        let nginx = try lua.start(in: folder, port: port, store: path, library: library)
        defer { nginx.kill() }
        var rounds: [String: [WebFigures]] = [:]
        let subjects = [(SharedMemoryBench.nothing, "/nothing"), (SharedMemoryBench.check, "/check")]
        for round in 0..<self.plan.rounds {
            self.say("\(SharedMemoryBench.nginx): round \(round + 1) of \(self.plan.rounds)")
            for (name, target) in subjects {
                rounds[name, default: []].append(try self.askDoor(wrk, "127.0.0.1:\(port)", target, keys))
            }
        }
        for (name, _) in subjects {
            guard let figures = rounds[name] else { continue }
            report.rows.append(
                Self.row(
                    SharedMemoryBench.nginx, GatewayBench.setting, name,
                    [
                        (GatewayBench.rate, figures.map { Double($0.requests) / $0.seconds }),
                        (Names.p50, figures.map(\.medianMicroseconds)), (Names.p99, figures.map(\.p99Microseconds)),
                    ]))
        }
    }
}

/// nginx with the Lua module, installed or unpacked into the directory that `SLUICE_NGINX_LUA` names.
struct NginxLua {
    private static let modules = ["ndk_http_module.so", "ngx_http_lua_module.so"]
    /// The check that the guide shows.
    private static let script = "Tests/IntegrationTests/Fixtures/lookup/sluice.lua"

    private let root: String

    /// Finds the module, or returns `nil` if it or nginx is not installed.
    init?() {
        let roots = [ProcessInfo.processInfo.environment["SLUICE_NGINX_LUA"], ""].compactMap(\.self)
        let found = roots.first { root in
            Self.modules.allSatisfy { FileManager.default.fileExists(atPath: "\(root)/usr/lib/nginx/modules/\($0)") }
        }
        guard let found, FileManager.default.isExecutableFile(atPath: GatewayBench.nginx) else { return nil }
        self.root = found
    }

    /// Starts nginx with one worker and both locations.
    func start(in folder: String, port: Int, store: String, library: String) throws -> ChildProcess {
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(folder)/\($0);" }
        let lines = [
            Self.modules.map { "load_module \(self.root)/usr/lib/nginx/modules/\($0);" }.joined(separator: "\n"),
            "daemon off; worker_processes 1; master_process off; pid \(folder)/nginx-lua.pid; error_log stderr crit;",
            "events { worker_connections 1024; }",
            "http { access_log off; keepalive_requests 1000000000;", places.joined(separator: "\n"),
            "lua_package_path \"\(folder)/?.lua;\(self.root)/usr/share/lua/5.1/?.lua;;\";",
            "map $host $sluice_user { default \"\"; }",
            "server { listen 127.0.0.1:\(port) backlog=511;",
            "location /nothing { access_by_lua_block { return } empty_gif; }",
            "location /check { access_by_lua_block { require(\"sluice\").check() }",
            "proxy_set_header X-User-Id $sluice_user; empty_gif; }", "} }",
        ]
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: "\(folder)/nginx-lua.conf"))
        let script = try String(contentsOfFile: Self.script, encoding: .utf8)
            .replacingOccurrences(of: "/dev/shm/sluice/sessions", with: store)
        try Data(script.utf8).write(to: URL(fileURLWithPath: "\(folder)/sluice.lua"))
        let libraries = ["lib", "usr/lib"].flatMap { place in
            ["x86_64", "aarch64"].map { "\(self.root)/\(place)/\($0)-linux-gnu" }
        }
        let nginx = try ChildProcess(
            GatewayBench.nginx, ["-p", folder, "-c", "\(folder)/nginx-lua.conf"], isQuiet: true,
            environment: ["LD_LIBRARY_PATH": (libraries + [library]).joined(separator: ":")])
        Thread.sleep(forTimeInterval: GatewayBench.startSeconds)
        return nginx
    }
}
