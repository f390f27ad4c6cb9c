import NIOCore

// Subscriptions, and the pushes between replies: messages and invalidations.
extension RedisDoorConnection {
    /// Answers `PING`.
    mutating func ping(_ request: RedisRequest, into output: inout ByteBuffer) {
        guard request.count <= 2 else {
            return output.writeError("ERR wrong number of arguments for 'ping' command")
        }
        if self.version == .two, self.subscriptions > 0 {
            output.writeArray(2)
            output.writeBulk("pong")
            if request.count == 2 { request.with(1) { output.writeBulk($0) } } else { output.writeBulk("") }
        } else if request.count == 2 {
            request.with(1) { output.writeBulk($0) }
        } else {
            output.writeSimple("PONG")
        }
    }

    /// Answers `SUBSCRIBE` and `PSUBSCRIBE`: a message for each channel or pattern.
    mutating func subscribe(_ command: RedisCommand, _ request: RedisRequest, into output: inout ByteBuffer) {
        for index in 1..<request.count {
            let name = request.bytes(index)
            let isKnown =
                command == .subscribe
                ? self.channels.contains(name) : self.patterns.contains(GlobPattern(name))
            guard isKnown || self.subscriptions < RedisLimits.subscriptions else {
                output.writeError("ERR at most \(RedisLimits.subscriptions) subscriptions")
                return
            }
            guard name.count <= RedisLimits.patternBytes else {
                output.writeError("ERR a channel or pattern has at most \(RedisLimits.patternBytes) bytes")
                return
            }
            if !isKnown {
                if self.subscriptions == 0 { self.inbox.setSubscribing(true) }
                if command == .subscribe {
                    self.channels.append(name)
                } else {
                    self.patterns.append(GlobPattern(name))
                }
            }
            self.confirm(command.rawValue, name, into: &output)
        }
    }

    /// Answers `UNSUBSCRIBE` and `PUNSUBSCRIBE`.
    mutating func unsubscribe(_ command: RedisCommand, _ request: RedisRequest, into output: inout ByteBuffer) {
        let known = command == .unsubscribe ? self.channels : self.patterns.map(\.bytes)
        let names = request.count > 1 ? (1..<request.count).map { request.bytes($0) } : known
        if names.isEmpty { return self.confirm(command.rawValue, nil, into: &output) }
        for name in names {
            let before = self.subscriptions
            if command == .unsubscribe {
                self.channels.removeAll { $0 == name }
            } else {
                self.patterns.removeAll { $0.bytes == name }
            }
            if before > 0, self.subscriptions == 0 { self.inbox.setSubscribing(false) }
            self.confirm(command.rawValue, name, into: &output)
        }
    }

    private func confirm(_ kind: String, _ name: [UInt8]?, into output: inout ByteBuffer) {
        output.writePush(3, self.version)
        output.writeBulk(kind)
        if let name { output.writeBulk(name.span) } else { output.writeNull(self.version) }
        output.writeNumber(self.subscriptions)
    }

    /// Ends all subscriptions without a message.
    mutating func unsubscribeAll() {
        if self.subscriptions > 0 { self.inbox.setSubscribing(false) }
        self.channels = []
        self.patterns = []
    }

    /// Writes a message of the channel of revocations once for each subscription that matches.
    func publish(_ message: [UInt8], into output: inout ByteBuffer) {
        let channel = self.parts.channel
        if self.channels.contains(channel) {
            output.writePush(3, self.version)
            output.writeBulk("message")
            output.writeBulk(channel.span)
            output.writeBulk(message.span)
        }
        for pattern in self.patterns where pattern.matches(channel.span) {
            output.writePush(4, self.version)
            output.writeBulk("pmessage")
            output.writeBulk(pattern.bytes.span)
            output.writeBulk(channel.span)
            output.writeBulk(message.span)
        }
    }

    // MARK: Invalidations

    /// Writes the invalidation of everything.
    func invalidateAll(into output: inout ByteBuffer) {
        guard self.tracking.isOn else { return }
        output.writePush(2, .three)
        output.writeBulk("invalidate")
        output.writeNull(.three)
    }

    /// Writes the invalidation of a key that the client has read, and of the conditions if it has asked for any.
    func invalidate(_ key: ArraySlice<UInt8>, into output: inout ByteBuffer) {
        guard self.tracking.isOn else { return }
        let conditions = self.hasAskedConditions ? self.parts.conditionKeys : []
        output.writePush(2, .three)
        output.writeBulk("invalidate")
        output.writeArray(1 + conditions.count)
        self.writeKey(key, into: &output)
        for condition in conditions { output.writeBulk(condition.span) }
    }

    /// Writes the invalidation of the keys that have one of the prefixes of a client with `BCAST`, and of the conditions,
    /// because another connection of the same client may have asked for them.
    func broadcast(_ mail: RedisInbox.Mail, into output: inout ByteBuffer) {
        guard self.tracking.isOn, self.tracking.isBroadcast else { return }
        let matching = mail.indices.filter { self.hasPrefix(mail.key($0)) }
        let conditions = self.parts.conditionKeys.filter { key in
            self.tracking.prefixes.isEmpty || self.tracking.prefixes.contains { key.starts(with: $0) }
        }
        // Every change may change who meets a condition, whatever the prefix of the changed key.
        guard !matching.isEmpty || (!conditions.isEmpty && !mail.indices.isEmpty) else { return }
        output.writePush(2, .three)
        output.writeBulk("invalidate")
        output.writeArray(matching.count + conditions.count)
        for index in matching { self.writeKey(mail.key(index), into: &output) }
        for condition in conditions { output.writeBulk(condition.span) }
    }

    private func writeKey(_ key: ArraySlice<UInt8>, into output: inout ByteBuffer) {
        output.writeHeader(UInt8(ascii: "$"), self.parts.prefix.count + key.count)
        output.writeBytes(self.parts.prefix)
        output.writeBytes(key)
        output.writeInteger(UInt16(0x0D0A))
    }

    /// Whether a key, given without the door's prefix, has one of the client's prefixes.
    private func hasPrefix(_ key: ArraySlice<UInt8>) -> Bool {
        if self.tracking.prefixes.isEmpty { return true }
        let own = self.parts.prefix
        return self.tracking.prefixes.contains { prefix in
            guard prefix.count > own.count else { return own.starts(with: prefix) }
            return prefix.starts(with: own) && key.starts(with: prefix.dropFirst(own.count))
        }
    }
}
