import NIOCore

// COMMAND: what redis-cli and other clients ask about commands.
extension RedisDoorConnection {
    /// Answers `COMMAND`, `COMMAND COUNT`, `COMMAND INFO [name ...]` and `COMMAND DOCS [name ...]`.
    mutating func describeCommands(_ request: RedisRequest, into output: inout ByteBuffer) {
        let all = RedisCommand.table
        if request.count == 1 {
            output.writeArray(all.count)
            for facts in all { facts.write(to: &output, self.version) }
        } else if request.isWord(1, "COUNT"), request.count == 2 {
            output.writeNumber(all.count)
        } else if request.isWord(1, "INFO") {
            let names = request.count > 2 ? self.names(request) : all.map(\.command.rawValue)
            output.writeArray(names.count)
            for name in names {
                if let facts = all.first(where: { $0.command.rawValue == name }) {
                    facts.write(to: &output, self.version)
                } else {
                    output.writeNull(self.version)
                }
            }
        } else if request.isWord(1, "DOCS") {
            let names = request.count > 2 ? self.names(request) : all.map(\.command.rawValue)
            let known = all.filter { names.contains($0.command.rawValue) }
            output.writeMap(known.count, self.version)
            for facts in known { facts.writeDocumentation(to: &output, self.version) }
        } else {
            output.writeError("ERR unknown subcommand '\(Self.shown(request, 1))' of COMMAND")
        }
    }

    private func names(_ request: RedisRequest) -> [String] {
        (2..<request.count).map { request.text($0).lowercased() }
    }
}
