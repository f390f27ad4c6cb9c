import RESP
import StageKit
import Testing

@testable import RedisClient

@Suite struct RedisErrorTests {
    @Test(
        "An error reply is classified by its first word",
        arguments: [
            ("LOADING Redis is loading the dataset in memory", RedisError.Code.unavailable, true),
            ("READONLY You can't write against a read only replica.", .unavailable, true),
            ("MASTERDOWN Link with MASTER is down", .unavailable, true),
            ("CLUSTERDOWN The cluster is down", .unavailable, true),
            ("TRYAGAIN Multiple keys request during rehashing of slot", .unavailable, true),
            ("UNBLOCKED client unblocked via CLIENT UNBLOCK", .unavailable, true),
            ("ERR max number of clients reached", .unavailable, true),
            ("ERR max number of clients + cluster connections reached", .unavailable, true),
            ("BUSY Redis is busy running a script. You can only call SCRIPT KILL", .unavailable, true),
            ("NOREPLICAS Not enough good replicas to write.", .unavailable, true),
            ("MISCONF Redis is configured to save RDB snapshots", .unavailable, true),
            ("OOM command not allowed when used memory > 'maxmemory'.", .outOfMemory, true),
            ("ERR unknown command 'XINFO'", .unknownCommand, false),
            ("ERR unknown subcommand 'ID'. Try CLIENT HELP.", .unknownCommand, false),
            ("ERR Unknown subcommand or wrong number of arguments for 'ID'", .unknownCommand, false),
            ("ERR Unknown Redis command called from script script: 1f, on @user_script:1.", .unknownCommand, false),
            ("BUSYGROUP Consumer Group name already exists", .serverError, false),
            ("ERR The user executing the script can't run this command or subcommand", .permission, false),
            ("ERR ACL failure in script: User w has no permissions", .permission, false),
            ("WRONGTYPE Operation against a key", .wrongType, false),
            ("NOAUTH Authentication required.", .authentication, false),
            ("WRONGPASS invalid username-password pair", .authentication, false),
            ("ERR invalid password", .authentication, false),
            ("ERR AUTH <password> called without any password configured", .authentication, false),
            ("NOPERM this user has no permissions", .permission, false),
            ("DENIED Redis is running in protected mode", .permission, false),
            ("ERR DB index is out of range", .badSettings, false),
            ("ERR SELECT is not allowed in cluster mode", .badSettings, false),
            ("ERR syntax error", .serverError, false),
            ("LOADINGX not that word", .serverError, false),
            ("", .serverError, false),
        ])
    func words(text: String, code: RedisError.Code, isTransient: Bool) {
        let error = RedisError.answer(text, to: "XREAD")
        #expect(error.code == code)
        #expect(error.isTransient == isTransient)
        #expect(error.message.hasPrefix("XREAD: the server replied \"\(text)\""))
    }

    @Test(
        "The error of a command inside a script counts, also if Redis 6.2 wraps it",
        arguments: [
            (
                "ERR Error running script (call to f_6b1b): @user_script:3: @user_script: 3: -READONLY You can't write",
                RedisError.Code.unavailable, true
            ),
            ("ERR Error running script (call to f_6b1b): @user_script:1: -MISCONF Redis is", .unavailable, true),
            ("ERR Error running script (call to f_6b1b): @user_script:12: WRONGTYPE Operation", .wrongType, false),
            (
                "ERR Error running script (call to f_6b1b): @user_script:1: @user_script: 1: -MASTERDOWN Link",
                .unavailable, true
            ),
            ("ERR Error running script (call to f_6b1b): @user_script:1: NOPERM this user", .permission, false),
            ("ERR Error running script (call to f_6b1b): @user_script:1: user_script:1: attempt", .serverError, false),
            ("ERR Error running script (call to f_6b1b): nothing known", .serverError, false),
            ("ERR Error running script", .serverError, false),
            ("ERR @user_script:1: -READONLY in a text of somebody", .serverError, false),
        ])
    func scripts(text: String, code: RedisError.Code, isTransient: Bool) {
        let error = RedisError.answer(text, to: "EVALSHA")
        #expect(error.code == code)
        #expect(error.isTransient == isTransient)
        #expect(error.message.contains(text))
    }

    /// An error answer of a command, and what it means.
    private static let innermost: [(String, RedisError.Code, Bool)] = [
        ("LOADING Redis is loading the dataset in memory", .unavailable, true),
        ("READONLY You can't write against a read only replica.", .unavailable, true),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", .unavailable, true),
        ("CLUSTERDOWN The cluster is down", .unavailable, true),
        ("TRYAGAIN Multiple keys request during rehashing of slot", .unavailable, true),
        ("MISCONF Errors writing to the AOF file: No space left on device", .unavailable, true),
        ("NOREPLICAS Not enough good replicas to write.", .unavailable, true),
        ("BUSY Redis is busy running a script.", .unavailable, true),
        ("OOM command not allowed when used memory > 'maxmemory'.", .outOfMemory, true),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", .wrongType, false),
        ("NOPERM this user has no permissions to run the 'hset' command", .permission, false),
        ("Unknown Redis command called from Lua script", .unknownCommand, false),
        ("The user executing the script can't run this command or subcommand", .permission, false),
    ]

    /// How servers wrap the error of a command inside a script.
    private static let wrappings = [
        // 7.0 and newer.
        "%@ script: 6b1b, on @user_script:3.",
        // 6.2 and older, with redis.call, in both forms.
        "ERR Error running script (call to f_6b1b): @user_script:3: @user_script: 3: -%@",
        "ERR Error running script (call to f_6b1b): @user_script:3: %@",
        // 6.2 and older, if the script returns the error that redis.pcall gave it.
        "@user_script: 3: -%@", "@user_script: 3: %@",
    ]

    @Test("Every command's error counts, however the server wraps it, and whichever command ran the script")
    func wrapped() {
        for (text, code, isTransient) in Self.innermost {
            for wrapping in Self.wrappings {
                for command in ["EVALSHA", "EVAL", "EVAL_RO", "XADD", "XREADGROUP"] {
                    let error = RedisError.answer(wrapping.replacing("%@", with: text), to: command)
                    #expect(error.code == code && error.isTransient == isTransient, "\(error)")
                }
            }
        }
    }

    @Test(
        "Only some refusals of PING end the connection",
        arguments: [
            ("NOPERM this user has no permissions", true), ("MISCONF Redis is configured to save", true),
            ("MASTERDOWN Link with MASTER is down", true), ("ERR unknown command 'PING'", true),
            ("NOAUTH Authentication required.", false), ("DENIED Redis is running in protected mode", false),
            ("LOADING Redis is loading", false), ("ERR max number of clients reached", false),
        ])
    func ping(text: String, isAcceptable: Bool) throws {
        let login = Login(RedisSettings(address: .tcp(host: "a", port: 1)), password: nil)
        let step = try #require(login.steps.last)
        #expect(step.name == "PING")
        #expect((login.failure(of: step, .error(text)) == nil) == isAcceptable)
    }

    @Test("A password that the server repeats is not shown")
    func secret() {
        let echoed = RedisError.answer(
            "ERR unknown command 'AUTH', with args beginning with: 'hunter2' ", to: "AUTH", hiding: Secret("hunter2"))
        #expect(!echoed.message.contains("hunter2"))
        let elsewhere = RedisError.answer("ERR what is hunter2?", to: "AUTH", hiding: Secret("hunter2"))
        #expect(!elsewhere.message.contains("hunter2") && elsewhere.message.contains("(secret)"))
    }

    @Test("A long text is truncated and control characters are replaced")
    func told() {
        let error = RedisError.answer("ERR \u{1B}[31m\n" + String(repeating: "x", count: 10_000), to: "X")
        #expect(error.message.count < 2 * RedisError.toldTextLimit)
        #expect(!error.message.contains("\u{1B}") && !error.message.contains("\n"))
    }

    @Test("A reply above a limit is permanent and names the setting; malformed RESP is retried")
    func unreadable() {
        let large = RedisError.unreadable(RESPError(.limitExceeded(.replyBytes), "too long"))
        #expect(large.code == .replyTooLarge && !large.isTransient && large.message.contains("read_count"))
        let strange = RedisError.unreadable(RESPError(.protocolViolation, "what?"))
        #expect(strange.code == .protocolViolation && strange.isTransient)
    }

    @Test(
        "The cause of a failed handshake is found by the library's text and the certificate's dates",
        arguments: [
            ("CERTIFICATE_VERIFY_FAILED", CertificateDates(notBefore: 0, notAfter: 99), "has expired"),
            ("CERTIFICATE_VERIFY_FAILED", CertificateDates(notBefore: 101, notAfter: 200), "not valid yet"),
            (
                "CERTIFICATE_VERIFY_FAILED", CertificateDates(notBefore: 0, notAfter: 200),
                "not signed by a trusted authority"
            ),
            ("CERTIFICATE_VERIFY_FAILED", nil, "not signed by a trusted authority"),
            ("WRONG_VERSION_NUMBER", nil, "does not use TLS"),
            ("TLSV1_ALERT_CERTIFICATE_REQUIRED", nil, "requires a client certificate"),
            ("TLSV1_ALERT_UNKNOWN_CA", nil, "refuses the certificate"),
            ("SOMETHING_ELSE", nil, "handshake failed: SOMETHING_ELSE"),
        ])
    func handshake(text: String, dates: CertificateDates?, words: String) {
        let error = RedisError.handshake(text, .tcp(host: "a", port: 1), dates, now: 100)
        #expect(error.code == .tls && !error.isTransient)
        #expect(error.message.hasPrefix("a:1: ") && error.message.contains(words))
    }
}

@Suite struct LoginTests {
    private func settings(_ change: (inout RedisSettings) -> Void = { _ in }) -> RedisSettings {
        var settings = RedisSettings(address: .tcp(host: "a", port: 1))
        change(&settings)
        return settings
    }

    @Test("Without password and database only PING is sent")
    func least() {
        #expect(Login(self.settings(), password: nil).steps.map(\.command) == [RESPCommand("PING")])
    }

    @Test("User, password and database are sent in this order")
    func most() {
        let login = Login(
            self.settings {
                $0.username = "u"
                $0.database = 3
            }, password: Secret("p"))
        #expect(
            login.steps.map(\.command)
                == [RESPCommand("AUTH", "u", "p"), RESPCommand("SELECT", "3"), RESPCommand("PING")])
        let byPassword = Login(self.settings(), password: Secret("p"))
        #expect(byPassword.steps.first?.command == RESPCommand("AUTH", "p"))
    }

    @Test("Only the expected reply to a step keeps the connection, but a user may lack PING")
    func answers() throws {
        let login = Login(self.settings(), password: Secret("p"))
        let (auth, ping) = (login.steps[0], login.steps[1])
        #expect(login.failure(of: auth, .simpleString(Array("OK".utf8))) == nil)
        #expect(login.failure(of: ping, .simpleString(Array("PONG".utf8))) == nil)
        #expect(login.failure(of: ping, .error("NOPERM no")) == nil)
        #expect(login.failure(of: auth, .error("WRONGPASS no"))?.code == .authentication)
        #expect(login.failure(of: ping, .error("NOAUTH no"))?.code == .authentication)
        #expect(login.failure(of: ping, .error("LOADING wait"))?.isTransient == true)
        #expect(login.failure(of: ping, .integer(1))?.code == .protocolViolation)
        #expect(login.failure(of: auth, .null)?.code == .protocolViolation)
    }

    @Test("The connection is named after its pipeline and purpose, in characters that the server accepts")
    func names() {
        #expect(Login(self.settings(), password: nil).naming.first == RESPCommand("CLIENT", "SETNAME", "sluice"))
        let settings = self.settings { $0.clientName.pipeline = "sessions" }.used(for: "store", "a b:\u{E9}\n")
        #expect(settings.clientName.text == "sluice:sessions:store:a_b___")
        let naming = Login(settings, password: nil).naming
        #expect(naming.first == RESPCommand("CLIENT", "SETNAME", "sluice:sessions:store:a_b___"))
        #expect(naming[1] == RESPCommand("CLIENT", "SETINFO", "LIB-NAME", "sluice"))
        #expect(naming[2].arguments.dropLast() == RESPCommand("CLIENT", "SETINFO", "LIB-VER").arguments[...])
        let long = self.settings { $0.clientName.pipeline = String(repeating: "x", count: 1000) }.clientName.text
        #expect(long.count == "sluice:".count + ClientName.partLimit)
    }

    @Test("An unreadable password file is a settings error")
    func passwordFile() {
        let error = #expect(throws: RedisError.self) { try PasswordFile.read("/nonexistent/password") }
        #expect(error?.code == .badSettings && error?.isTransient == false)
        #expect(error?.message.hasPrefix("redis.password_file: /nonexistent/password: cannot open it") == true)
    }

    @Test("The name to verify is the given one, or the host if it is a name")
    func serverName() {
        var tls = TLSSettings()
        #expect(TLSContext.serverName(tls, .tcp(host: "redis.example", port: 1)) == "redis.example")
        #expect(TLSContext.serverName(tls, .tcp(host: "127.0.0.1", port: 1)) == nil)
        #expect(TLSContext.serverName(tls, .tcp(host: "::1", port: 1)) == nil)
        tls.serverName = "other"
        #expect(TLSContext.serverName(tls, .tcp(host: "127.0.0.1", port: 1)) == "other")
    }

    @Test(
        "A certificate's name matches regardless of case, and a wildcard matches one complete first label",
        arguments: [
            ("redis.example", "Redis.Example", true), ("redis.example.", "redis.example", true),
            ("a.redis.example", "*.redis.example", true), ("a.b.redis.example", "*.redis.example", false),
            ("redis.example", "*.example", false), ("example", "*", false), ("redis.example", "r*.example", false),
            ("redis.example", "other.example", false), (".redis.example", "*.redis.example", false), ("", "", false),
        ])
    func certificateNames(name: String, pattern: String, matches: Bool) {
        #expect(ServerName.matches(name, pattern: pattern) == matches)
    }
}
