import RESP
import StageKit

/// Asks about a stream without fetching what is in its entries, as far as the server lets this user.
///
/// XINFO STREAM and XREVRANGE return whole entries, which can be large, although their ids are all that is needed. A script
/// returns the ids alone. Servers before 7.0 do not know scripts that cannot write (EVAL_RO), and a user may not be allowed
/// to run any: then the plain commands are sent. Pure; `note` is to be asked about every answer.
struct StreamQuestions: Sendable, Equatable {
    /// How it asks, the best way first.
    private enum Form: Sendable, Equatable {
        case readOnlyScript, script, plain
    }

    /// The answer to XINFO STREAM with the first and the last entry cut down to their ids. An error answer stays one.
    private static let factsScript = """
        local r = redis.pcall('XINFO', 'STREAM', KEYS[1])
        if r.err then return r end
        for i = 1, #r, 2 do
          if (r[i] == 'first-entry' or r[i] == 'last-entry') and type(r[i + 1]) == 'table' then
            r[i + 1] = {r[i + 1][1]}
          end
        end
        return r
        """
    /// The answer to XREVRANGE with each entry cut down to its id.
    private static let idsScript = """
        local r = redis.pcall('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
        if r.err then return r end
        for i = 1, #r do r[i] = {r[i][1]} end
        return r
        """

    /// The stream's key.
    let stream: String
    private var form = Form.readOnlyScript

    /// Asks about a stream, with a script at first.
    init(stream: String) {
        self.stream = stream
    }

    /// Whether the answers bring whole entries.
    var fetchesEntries: Bool { self.form == .plain }

    /// Asks what the server knows of the stream, as XINFO STREAM does.
    var facts: RESPCommand {
        self.command(Self.factsScript, [], plain: StreamFacts.command(self.stream))
    }

    /// Asks for the ids of up to so many entries between two ids, the last first, as XREVRANGE does.
    func ids(from last: String, downTo first: String, count: Int = 1) -> RESPCommand {
        self.command(
            Self.idsScript, [last, first, "\(count)"],
            plain: RESPCommand("XREVRANGE", self.stream, last, first, "COUNT", count))
    }

    /// Notes an answer to one of these; returns whether it has to be asked again, in another way.
    mutating func note(_ answer: RESPValue) -> Bool {
        guard self.form != .plain, case .error(let text) = answer, !text.hasPrefix(StreamFacts.missing) else {
            return false
        }
        let error = RedisError.answer(text, to: "EVAL")
        // What the plain command would be answered too.
        if error.isTransient || error.code == .wrongType { return false }
        self.form = self.form == .readOnlyScript ? .script : .plain
        return true
    }

    private func command(_ script: String, _ arguments: [String], plain: RESPCommand) -> RESPCommand {
        switch self.form {
        case .plain: return plain
        case .script, .readOnlyScript:
            let name = self.form == .script ? "EVAL" : "EVAL_RO"
            return RESPCommand(name, arguments: ([script, "1", self.stream] + arguments).map(\.respBytes))
        }
    }
}
