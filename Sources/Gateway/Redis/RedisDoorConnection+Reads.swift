import NIOCore

// The commands that read sessions.
extension RedisDoorConnection {
    /// Whether reads are remembered, so that the client receives invalidations.
    private var isTracked: Bool {
        guard self.tracking.isOn, !self.tracking.isBroadcast else { return false }
        return switch self.tracking.mode {
        case .all: true
        case .optIn: self.cachingNext == true
        case .optOut: self.cachingNext != false
        }
    }

    /// Answers a command that reads sessions.
    mutating func read(_ command: RedisCommand, _ request: RedisRequest, into output: inout ByteBuffer) {
        let start = output.writerIndex
        let finding: SnapshotFinding =
            switch command {
            case .hgetall: self.readAll(request, into: &output)
            case .hget, .hexists, .hlen: self.readField(command, request, into: &output)
            case .hmget: self.readFields(request, into: &output)
            case .get: self.readJSON(request, 1, into: &output)
            case .mget: self.readSeveral(request, into: &output)
            case .exists: self.countExisting(request, into: &output)
            case .type: self.readType(request, into: &output)
            case .ttl, .pttl: self.readLife(command, request, into: &output)
            case .sismember, .smismember: self.decide(command, request, into: &output)
            default: self.scan(request, into: &output)
            }
        if finding.isAnswer {
            self.tally.hasAnswered = true
            _ = self.isTooLong(&output, since: start)
            return
        }
        // Never a part of an answer, and never an old one.
        output.moveWriterIndex(to: start)
        self.hasRefusedRead = true
        if finding == .filling {
            output.writeError("LOADING Sluice is filling the store")
        } else {
            output.writeError("STALE the freshness of the store is not confirmed, so its sessions may be outdated")
        }
    }

    /// Calls `body` with a key without its prefix, remembered as read before; `absent` without a call for other keys.
    private mutating func withKey(
        _ request: RedisRequest, _ index: Int, _ body: (Span<UInt8>, inout RedisDoorConnection) -> SnapshotFinding
    ) -> SnapshotFinding {
        request.with(index) { key in
            guard self.parts.hasPrefix(key) else { return self.parts.store.refusal ?? .absent }
            let own = key.extracting(self.parts.prefix.count..<key.count)
            // Before the snapshot is read: see `RedisInbox`.
            if self.isTracked { self.inbox.track(own, by: self.id) }
            return body(own, &self)
        }
    }

    /// Reads the fields of a session.
    private mutating func find(_ request: RedisRequest, _ index: Int = 1) -> SnapshotFinding {
        self.withKey(request, index) { key, connection in
            connection.parts.store.read(key, &connection.fields)
        }
    }

    private mutating func readAll(_ request: RedisRequest, into output: inout ByteBuffer) -> SnapshotFinding {
        let finding = self.find(request)
        guard finding == .found else {
            output.writeMap(0, self.version)
            return finding
        }
        output.writeMap(self.visibleCount(), self.version)
        var room = self.fields.bytes.count
        for field in self.fields.fields {
            room += self.nameReplies[field.number].count + ReplyCursor.bulkBytes(0)
        }
        output.writeParts(maximum: room) { cursor in
            var start = 0
            for field in self.fields.fields {
                let name = self.nameReplies[field.number]
                if !name.isEmpty {
                    cursor.write(name.span)
                    cursor.writeBulk(self.fields.bytes.span.extracting(start..<field.end))
                }
                start = field.end
            }
        }
        return finding
    }

    private mutating func readField(
        _ command: RedisCommand, _ request: RedisRequest, into output: inout ByteBuffer
    ) -> SnapshotFinding {
        let finding = self.find(request)
        let count = finding == .found ? self.visibleCount() : 0
        if command == .hlen {
            output.writeNumber(count)
            return finding
        }
        let range = finding == .found ? self.range(ofField: request, 2) : nil
        if command == .hexists {
            output.writeNumber(range == nil ? 0 : 1)
        } else {
            self.writeValue(range, into: &output)
        }
        return finding
    }

    private mutating func readFields(_ request: RedisRequest, into output: inout ByteBuffer) -> SnapshotFinding {
        let finding = self.find(request)
        if finding == .found { _ = self.visibleCount() }
        let start = output.writerIndex
        output.writeArray(request.count - 2)
        for index in 2..<request.count {
            self.writeValue(finding == .found ? self.range(ofField: request, index) : nil, into: &output)
            if output.writerIndex - start > RedisLimits.replyBytes { break }
        }
        return finding
    }

    private func writeValue(_ range: Range<Int>?, into output: inout ByteBuffer) {
        guard let range else { return output.writeNull(self.version) }
        output.writeBulk(self.fields.bytes.span.extracting(range))
    }

    /// Returns the number of fields that are shown; loads the names of those that are read for the first time.
    private mutating func visibleCount() -> Int {
        var count = 0
        for index in self.fields.fields.indices {
            let number = self.fields.fields[index].number
            while self.names.count <= number {
                self.names.append(nil)
                self.nameReplies.append([])
            }
            if self.names[number] == nil { self.loadName(number) }
            if !self.nameReplies[number].isEmpty { count += 1 }
        }
        return count
    }

    private mutating func loadName(_ number: Int) {
        let name = Array(self.parts.store.fieldName(number).utf8)
        self.names[number] = name
        var reply = ByteBuffer()
        if !name.isEmpty { reply.writeBulk(name) }
        self.nameReplies[number] = Array(reply.readableBytesView)
    }

    /// Returns the range of the value of the field that an argument names, or `nil` if the session has none.
    private func range(ofField request: RedisRequest, _ argument: Int) -> Range<Int>? {
        request.with(argument) { wanted in
            if wanted.isEmpty { return nil }
            for index in self.fields.fields.indices {
                guard let name = self.names[self.fields.fields[index].number], name.count == wanted.count else {
                    continue
                }
                if Self.equals(wanted, name) { return self.fields.range(index) }
            }
            return nil
        }
    }

    private static func equals(_ span: Span<UInt8>, _ bytes: [UInt8]) -> Bool {
        guard span.count == bytes.count else { return false }
        for index in span.indices where span[index] != bytes[index] { return false }
        return true
    }

    // MARK: Whole sessions

    /// Whether an argument is the prefix alone: the key of the heartbeat, as in a `redis` store. It exists exactly as
    /// long as the store may answer.
    private func isHeartbeat(_ request: RedisRequest, _ index: Int) -> Bool {
        request.with(index) { $0.count == self.parts.prefix.count && self.parts.hasPrefix($0) }
    }

    private mutating func readJSON(
        _ request: RedisRequest, _ index: Int, into output: inout ByteBuffer
    ) -> SnapshotFinding {
        if self.isHeartbeat(request, index) {
            output.writeBulk(#"{"sluice":"heartbeat"}"#)
            return self.parts.store.refusal ?? .found
        }
        let finding = self.withKey(request, index) { key, connection in
            connection.json.removeAll(keepingCapacity: true)
            return connection.parts.store.readJSON(key, &connection.json)
        }
        if finding == .found { output.writeBulk(self.json.span) } else { output.writeNull(self.version) }
        return finding
    }

    private mutating func readSeveral(_ request: RedisRequest, into output: inout ByteBuffer) -> SnapshotFinding {
        let start = output.writerIndex
        output.writeArray(request.count - 1)
        for index in 1..<request.count {
            let finding = self.readJSON(request, index, into: &output)
            guard finding.isAnswer else { return finding }
            if output.writerIndex - start > RedisLimits.replyBytes { break }
        }
        return .found
    }

    /// Returns whether a key exists, or why that cannot be said.
    private mutating func exists(_ request: RedisRequest, _ index: Int) -> SnapshotFinding {
        self.isHeartbeat(request, index) ? self.parts.store.refusal ?? .found : self.find(request, index)
    }

    private mutating func countExisting(_ request: RedisRequest, into output: inout ByteBuffer) -> SnapshotFinding {
        var count = 0
        for index in 1..<request.count {
            let finding = self.exists(request, index)
            guard finding.isAnswer else { return finding }
            if finding == .found { count += 1 }
        }
        output.writeNumber(count)
        return .found
    }

    private mutating func readType(_ request: RedisRequest, into output: inout ByteBuffer) -> SnapshotFinding {
        let finding = self.exists(request, 1)
        if self.isHeartbeat(request, 1) {
            output.writeSimple("string")
        } else if finding == .found {
            output.writeSimple("hash")
        } else if self.condition(request) != nil {
            output.writeSimple("set")
        } else {
            output.writeSimple("none")
        }
        return finding
    }

    private mutating func readLife(
        _ command: RedisCommand, _ request: RedisRequest, into output: inout ByteBuffer
    ) -> SnapshotFinding {
        let finding = self.exists(request, 1)
        if finding == .found, self.isHeartbeat(request, 1), let time = self.parts.store.timeUntilStale {
            let (seconds, attoseconds) = time.components
            let milliseconds = Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
            output.writeNumber(command == .ttl ? milliseconds / 1000 : milliseconds)
        } else {
            output.writeNumber(finding == .found ? -1 : -2)
        }
        return finding
    }

    // MARK: Conditions

    /// The condition whose key is the first argument.
    private func condition(_ request: RedisRequest) -> Int? {
        request.with(1) { key in self.parts.conditionKeys.firstIndex { Self.equals(key, $0) } }
    }

    /// The members of a condition's set are keys without their prefix, as `SISMEMBER sessions:active ds-1`.
    private mutating func decide(
        _ command: RedisCommand, _ request: RedisRequest, into output: inout ByteBuffer
    ) -> SnapshotFinding {
        guard let condition = self.condition(request) else {
            if let refusal = self.parts.store.refusal { return refusal }
            self.hasRefusedRead = true
            output.writeError("ERR no such condition: the first argument is the prefix and the name of a condition")
            return .absent
        }
        self.hasAskedConditions = true
        if command == .smismember { output.writeArray(request.count - 2) }
        for index in 2..<request.count {
            let isTracked = self.isTracked
            let decision = request.with(index) { key in
                if isTracked { self.inbox.track(key, by: self.id) }
                return self.parts.store.decide(key, condition: condition)
            }
            self.tally.add(decision)
            if decision == .stale { return self.parts.store.refusal ?? .stale }
            output.writeNumber(decision == .allowed ? 1 : 0)
        }
        return .found
    }

    // MARK: SCAN

    private mutating func scan(_ request: RedisRequest, into output: inout ByteBuffer) -> SnapshotFinding {
        var options = ScanOptions()
        if let problem = options.read(request) {
            output.writeError(problem)
            return .absent
        }
        if let refusal = self.parts.store.refusal { return refusal }
        var keys: [[UInt8]] = []
        let prefix = self.parts.prefix
        var full = prefix
        let next = self.parts.store.scan(from: options.cursor, count: options.count) { key in
            full.removeSubrange(prefix.count...)
            unsafe key.withUnsafeBufferPointer { unsafe full.append(contentsOf: $0) }
            if options.isForHashes, options.pattern?.matches(full.span) ?? true { keys.append(full) }
        }
        // After the keys were read, as with every other answer.
        if let refusal = self.parts.store.refusal { return refusal }
        output.writeArray(2)
        output.writeBulk(String(next))
        output.writeArray(keys.count)
        for key in keys { output.writeBulk(key.span) }
        return .found
    }

    private struct ScanOptions {
        var cursor: UInt64 = 0
        var count = 10
        var pattern: GlobPattern?
        /// Whether the keys of sessions are of the type that is asked for.
        var isForHashes = true

        /// Reads the arguments; returns the error if there is one.
        mutating func read(_ request: RedisRequest) -> String? {
            let length = request.with(1) { $0.count }
            guard length <= 20, let cursor = UInt64(request.text(1)) else { return "ERR invalid cursor" }
            self.cursor = cursor
            var index = 2
            while index + 1 < request.count {
                if request.isWord(index, "MATCH") {
                    let pattern = request.bytes(index + 1)
                    guard pattern.count <= RedisLimits.patternBytes else {
                        return "ERR a pattern has at most \(RedisLimits.patternBytes) bytes"
                    }
                    self.pattern = GlobPattern(pattern)
                } else if request.isWord(index, "COUNT") {
                    guard let count = request.number(index + 1) else {
                        return "ERR value is not an integer or out of range"
                    }
                    guard count > 0 else { return "ERR syntax error" }
                    self.count = min(count, RedisLimits.scanKeys)
                } else if request.isWord(index, "TYPE") {
                    self.isForHashes = request.isWord(index + 1, "hash")
                } else {
                    return "ERR syntax error"
                }
                index += 2
            }
            return index == request.count ? nil : "ERR syntax error"
        }
    }
}
