import NIOCore

// The commands that set up the connection.
extension RedisDoorConnection {
    /// The only user.
    private static let user = "default"

    /// Answers `HELLO [2|3 [AUTH user password] [SETNAME name]]`.
    mutating func hello(_ request: RedisRequest, into output: inout ByteBuffer) -> Step {
        var version = self.version
        if request.count > 1 {
            guard let number = request.number(1), let wanted = RedisProtocol(rawValue: number) else {
                output.writeError("NOPROTO unsupported protocol version")
                return .next
            }
            version = wanted
        }
        var credentials: Int?
        var name: [UInt8]?
        var index = 2
        while index < request.count {
            if request.isWord(index, "AUTH"), index + 2 < request.count {
                credentials = index + 1
                index += 3
            } else if request.isWord(index, "SETNAME"), index + 1 < request.count {
                name = request.bytes(index + 1)
                index += 2
            } else {
                output.writeError("ERR Syntax error in HELLO")
                return .next
            }
        }
        if let name, let problem = Self.problem(ofName: name) {
            output.writeError(problem)
            return .next
        }
        if let credentials, !self.accepts(request, user: credentials, password: credentials + 1) {
            return self.refusePassword(into: &output)
        }
        guard self.isAuthenticated else {
            self.tally.unauthorized += 1
            output.writeError(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH"
                    + " <user> <pass> option can be used to authenticate the client and select the RESP protocol version"
                    + " at the same time")
            return .next
        }
        if let name { self.name = name }
        // A RESP2 client takes no invalidations.
        if version == .two { self.stopTracking() }
        self.version = version
        self.describeServer(into: &output)
        return .next
    }

    /// `server` and `version` name the Redis that the door imitates, because clients refuse to cache otherwise. `sluice`
    /// has the version of Sluice.
    private func describeServer(into output: inout ByteBuffer) {
        output.writeMap(8, self.version)
        let texts = [
            ("server", "redis"), ("version", RedisDoorParts.redisVersion), ("sluice", self.parts.version),
            ("mode", "standalone"), ("role", "master"),
        ]
        for (name, text) in texts {
            output.writeBulk(name)
            output.writeBulk(text)
        }
        output.writeBulk("proto")
        output.writeNumber(self.version.rawValue)
        output.writeBulk("id")
        output.writeNumber(Int(self.id))
        output.writeBulk("modules")
        output.writeArray(0)
    }

    /// Answers `AUTH [user] password`.
    mutating func authenticate(_ request: RedisRequest, into output: inout ByteBuffer) -> Step {
        guard request.count <= 3 else {
            output.writeError("ERR syntax error")
            return .next
        }
        if request.count == 2, !self.parts.needsPassword {
            output.writeError(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your"
                    + " configuration is correct?")
            return .next
        }
        guard self.accepts(request, user: request.count == 3 ? 1 : nil, password: request.count - 1) else {
            return self.refusePassword(into: &output)
        }
        output.writeSimple("OK")
        return .next
    }

    /// Authenticates the connection if the credentials are right.
    private mutating func accepts(_ request: RedisRequest, user: Int?, password: Int) -> Bool {
        let isUser = user.map { request.text($0) == Self.user } ?? true
        let isRight = !self.parts.needsPassword || self.parts.isPassword(request.bytes(password))
        guard isUser, isRight else { return false }
        self.isAuthenticated = true
        return true
    }

    private mutating func refusePassword(into output: inout ByteBuffer) -> Step {
        self.wrongPasswords += 1
        self.tally.unauthorized += 1
        output.writeError("WRONGPASS invalid username-password pair or user is disabled.")
        return self.wrongPasswords < RedisLimits.passwords ? .next : .close
    }

    /// Answers `SELECT 0`.
    mutating func select(_ request: RedisRequest, into output: inout ByteBuffer) {
        if request.number(1) == 0 {
            output.writeSimple("OK")
        } else {
            output.writeError("ERR DB index is out of range: there is only database 0")
        }
    }

    /// Puts the connection into the state of a new one.
    mutating func reset() {
        self.leave()
        self.version = .two
        self.name = []
        self.transaction = nil
        self.cachingNext = nil
        self.hasAskedConditions = false
        self.isAuthenticated = !self.parts.needsPassword
    }

    // MARK: CLIENT

    /// Answers `CLIENT`.
    mutating func client(_ request: RedisRequest, into output: inout ByteBuffer) {
        let count = request.count
        if request.isWord(1, "ID"), count == 2 {
            output.writeNumber(Int(self.id))
        } else if request.isWord(1, "GETNAME"), count == 2 {
            if self.name.isEmpty { output.writeNull(self.version) } else { output.writeBulk(self.name.span) }
        } else if request.isWord(1, "SETNAME"), count == 3 {
            let name = request.bytes(2)
            if let problem = Self.problem(ofName: name) { return output.writeError(problem) }
            self.name = name
            output.writeSimple("OK")
        } else if request.isWord(1, "SETINFO"), count == 4 {
            guard request.isWord(2, "LIB-NAME") || request.isWord(2, "LIB-VER") else {
                return output.writeError("ERR Unrecognized option '\(Self.shown(request, 2))'")
            }
            // Nothing shows it.
            output.writeSimple("OK")
        } else if request.isWord(1, "NO-EVICT") || request.isWord(1, "NO-TOUCH"), count == 3 {
            // Nothing is evicted or touched.
            guard request.isWord(2, "ON") || request.isWord(2, "OFF") else {
                return output.writeError("ERR syntax error")
            }
            output.writeSimple("OK")
        } else if request.isWord(1, "CACHING"), count == 3 {
            self.setCaching(request, into: &output)
        } else if request.isWord(1, "TRACKING"), count >= 3 {
            self.setTracking(request, into: &output)
        } else {
            output.writeError(
                "ERR unknown subcommand or wrong number of arguments for '\(Self.shown(request, 1))' of CLIENT")
        }
    }

    /// An argument for an error.
    static func shown(_ request: RedisRequest, _ index: Int) -> String {
        String(decoding: request.bytes(index).prefix(RedisLimits.nameBytes), as: UTF8.self)
    }

    private static func problem(ofName name: [UInt8]) -> String? {
        if name.count > RedisLimits.nameBytes { return "ERR a client name has at most \(RedisLimits.nameBytes) bytes" }
        guard name.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return "ERR Client names cannot contain spaces, newlines or special characters."
        }
        return nil
    }

    private mutating func setCaching(_ request: RedisRequest, into output: inout ByteBuffer) {
        guard self.tracking.isOn, self.tracking.mode != .all else {
            return output.writeError(
                "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode"
                    + " enabled")
        }
        let isYes = request.isWord(2, "YES")
        guard isYes || request.isWord(2, "NO") else { return output.writeError("ERR syntax error") }
        guard isYes == (self.tracking.mode == .optIn) else {
            return output.writeError(
                isYes
                    ? "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
                    : "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
        }
        self.cachingNext = isYes
        output.writeSimple("OK")
    }

    private mutating func setTracking(_ request: RedisRequest, into output: inout ByteBuffer) {
        let isOn = request.isWord(2, "ON")
        guard isOn || request.isWord(2, "OFF") else { return output.writeError("ERR syntax error") }
        var wanted = Tracking()
        wanted.isOn = isOn
        if let problem = Self.read(request, &wanted) { return output.writeError(problem) }
        guard isOn else {
            self.stopTracking()
            return output.writeSimple("OK")
        }
        guard self.version == .three else {
            return output.writeError(
                "ERR Client tracking can be enabled only in RESP3 mode: send HELLO 3 first; REDIRECT is not supported")
        }
        if self.tracking.isOn, self.tracking.isBroadcast != wanted.isBroadcast {
            return output.writeError(
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling"
                    + " it with a different mode.")
        }
        for prefix in self.tracking.prefixes where !wanted.prefixes.contains(prefix) { wanted.prefixes.append(prefix) }
        guard wanted.prefixes.count <= RedisLimits.prefixes else {
            return output.writeError("ERR at most \(RedisLimits.prefixes) prefixes")
        }
        if !self.tracking.isOn { self.inbox.setCaching(true, broadcast: wanted.isBroadcast) }
        self.tracking = wanted
        output.writeSimple("OK")
    }

    /// Reads the options of `CLIENT TRACKING`; returns the error if there is one.
    private static func read(_ request: RedisRequest, _ wanted: inout Tracking) -> String? {
        var (isOptIn, isOptOut) = (false, false)
        var index = 3
        while index < request.count {
            if request.isWord(index, "BCAST") {
                wanted.isBroadcast = true
            } else if request.isWord(index, "OPTIN") {
                isOptIn = true
            } else if request.isWord(index, "OPTOUT") {
                isOptOut = true
            } else if request.isWord(index, "NOLOOP") {
                // No client changes a key.
            } else if request.isWord(index, "PREFIX"), index + 1 < request.count {
                let prefix = request.bytes(index + 1)
                guard prefix.count <= RedisLimits.patternBytes else {
                    return "ERR a prefix has at most \(RedisLimits.patternBytes) bytes"
                }
                wanted.prefixes.append(prefix)
                index += 1
            } else if request.isWord(index, "REDIRECT") {
                return "ERR REDIRECT is not supported: use RESP3 (HELLO 3), whose connections take invalidations"
                    + " themselves"
            } else {
                return "ERR syntax error"
            }
            index += 1
        }
        if isOptIn, isOptOut { return "ERR You can't use both OPTIN and OPTOUT" }
        if isOptIn || isOptOut, wanted.isBroadcast { return "ERR OPTIN and OPTOUT are not compatible with BCAST" }
        if !wanted.prefixes.isEmpty, !wanted.isBroadcast {
            return "ERR PREFIX option requires BCAST mode to be enabled"
        }
        wanted.mode = isOptIn ? .optIn : isOptOut ? .optOut : .all
        return nil
    }

    /// Ends `CLIENT TRACKING`.
    mutating func stopTracking() {
        guard self.tracking.isOn else { return }
        self.inbox.setCaching(false, broadcast: self.tracking.isBroadcast)
        self.inbox.forget(self.id)
        self.tracking = Tracking()
        self.cachingNext = nil
    }
}
