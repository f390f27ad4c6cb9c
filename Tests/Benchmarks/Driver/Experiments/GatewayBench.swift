import Foundation

/// The names of the experiment with the gateway's HTTP door.
enum GatewayBench {
    /// The setting of all rows.
    static let setting = "16 connections"
    /// The door itself.
    static let door = "Sluice"
    /// nginx that answers 204 itself.
    static let plain = "nginx return 204"
    /// nginx with `auth_request` to the door.
    static let behindNginx = "auth_request to Sluice"
    /// nginx with `auth_request` to a 204 of its own.
    static let nginxAlone = "auth_request to its own 204"
    /// Answers per second.
    static let rate = "requests/s"
    /// CPU of the answering process, of the program and the system.
    static let cpu = "CPU us/request"
    /// The program.
    static let nginx = "/usr/sbin/nginx"
    /// nginx listens within milliseconds; wrk does not wait for it.
    static let startSeconds = 1.0
    /// Time in seconds until a door listens: its store of a million sessions is filled in seconds.
    static let fillLimit = 300.0
    /// Time in seconds that a load generator may take longer than it was told to.
    static let loadLimit = 30.0

    /// One nginx worker with all comparisons.
    static func configuration(folder: String, port: Int, door: String) -> String {
        """
        daemon off; worker_processes 1; master_process off; pid \(folder)/nginx.pid; error_log stderr crit;
        events { worker_connections 1024; }
        http {
            access_log off; keepalive_requests 1000000000;
            client_body_temp_path \(folder)/b; proxy_temp_path \(folder)/p; fastcgi_temp_path \(folder)/f;
            uwsgi_temp_path \(folder)/u; scgi_temp_path \(folder)/s;
            upstream sluice { server \(door); keepalive 32; keepalive_requests 1000000000; }
            upstream self { server 127.0.0.1:\(port); keepalive 32; keepalive_requests 1000000000; }
            server {
                listen 127.0.0.1:\(port) backlog=511;
                location / { return 204; }
                location /sluice { auth_request /_sluice; try_files /none @done; }
                location /self { auth_request /_self; try_files /none @done; }
                location @done { return 204; }
                location = /_sluice { internal; proxy_pass http://sluice; include proxy.conf; }
                location = /_self { internal; proxy_pass http://self/204; include proxy.conf; }
            }
        }
        """
    }

    /// What both subrequests are sent with.
    static let proxy = """
        proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        """
}

extension Bench {
    /// The gateway's HTTP door beside nginx, driven by wrk, in turns.
    func httpDoor(into report: inout BenchReport) throws {
        guard let wrk = ChildProcess.find("wrk"),
            FileManager.default.isExecutableFile(atPath: GatewayBench.nginx)
        else {
            report.notes.append(
                "the HTTP door was skipped: wrk or nginx is missing; on Debian: apt-get install wrk nginx")
            return
        }
        self.say("the gateway's HTTP door beside nginx")
        let keys = "\(self.folder)/gateway-keys.txt"
        let child = try ChildProcess(
            self.own, ["child", "door", "--sessions", "\(self.plan.lookupSessions[0])", "--keys", keys],
            keepsInput: true)
        defer { child.kill() }
        let door = try JSONDecoder()
            .decode(ServeFigures.self, from: child.firstLine(limit: GatewayBench.fillLimit)).address
        let port = Int.random(in: 12_000..<32_000)
        let folder = URL(fileURLWithPath: self.folder).path
        try Data(GatewayBench.configuration(folder: folder, port: port, door: door).utf8)
            .write(to: URL(fileURLWithPath: "\(folder)/nginx.conf"))
        try Data(GatewayBench.proxy.utf8).write(to: URL(fileURLWithPath: "\(folder)/proxy.conf"))
        let nginx = try ChildProcess(
            GatewayBench.nginx, ["-p", folder, "-c", "\(folder)/nginx.conf"], isQuiet: true)
        defer { nginx.kill() }
        Thread.sleep(forTimeInterval: GatewayBench.startSeconds)
        let subjects = [
            (GatewayBench.plain, "127.0.0.1:\(port)", "/", nginx.identifier),
            (GatewayBench.door, door, "/", child.identifier),
            (GatewayBench.nginxAlone, "127.0.0.1:\(port)", "/self", nginx.identifier),
            (GatewayBench.behindNginx, "127.0.0.1:\(port)", "/sluice", child.identifier),
        ]
        var rounds: [String: [(web: WebFigures, cpu: Double)]] = [:]
        for round in 0..<self.plan.rounds {
            self.say("the HTTP door: round \(round + 1) of \(self.plan.rounds)")
            for (name, address, target, process) in subjects {
                let before = Clocks.processCPU(process) ?? 0
                let figures = try self.askDoor(wrk, address, target, keys)
                let spent = (Clocks.processCPU(process) ?? 0) - before
                rounds[name, default: []].append((figures, spent * 1e6 / Double(max(1, figures.requests))))
            }
        }
        for (name, _, _, _) in subjects {
            guard let figures = rounds[name] else { continue }
            report.rows.append(
                Self.row(
                    Names.gateway, GatewayBench.setting, name,
                    [
                        (GatewayBench.rate, figures.map { Double($0.web.requests) / $0.web.seconds }),
                        (GatewayBench.cpu, figures.map(\.cpu)), (Names.p50, figures.map(\.web.medianMicroseconds)),
                        (Names.p99, figures.map(\.web.p99Microseconds)),
                    ]))
        }
        report.notes.append(
            "HTTP door: CPU is that of nginx for its own answers, and that of Sluice for the others; with auth_request to"
                + " its own 204, nginx answers two requests for each one counted")
    }

    /// Sends authorization requests by wrk; every one must be answered with a status below 400.
    func askDoor(_ wrk: String, _ address: String, _ target: String, _ keys: String) throws -> WebFigures {
        let figures = try WebFigures(
            output: ChildProcess.run(
                wrk,
                [
                    "--threads", "1", "--connections", "16", "--duration", "\(self.plan.latencySeconds)s", "--latency",
                    "--script", "Tests/Benchmarks/Yardsticks/gateway.lua", "http://\(address)",
                ], environment: ["SLUICE_KEYS": keys, "SLUICE_TARGET": target],
                limit: Double(self.plan.latencySeconds) + GatewayBench.loadLimit))
        if figures.failed > 0 { throw ToolFailure(description: "\(figures.failed) requests to \(target) failed") }
        return figures
    }
}
