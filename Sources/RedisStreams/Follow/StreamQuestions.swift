import RESP
import RedisClient
import StageKit

/// Queries a stream without fetching the contents of its entries, if the server permits this user to do so.
///
/// XINFO STREAM and XREVRANGE return whole entries, which can be large, although only their ids are needed. A script
/// returns the ids alone. Servers before 7.0 do not support read-only scripts (EVAL_RO), and a user may lack the
/// permission to run any script: then the plain commands are sent. Pure; pass every reply to `note`.
struct StreamQuestions: Sendable, Equatable {
    /// The form of the queries, in order of preference.
    private enum Form: Sendable, Equatable {
        case readOnlyScript, script, plain
    }

    /// Returns the reply to XINFO STREAM with the first and the last entry reduced to their ids. An error reply is
    /// unchanged.
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
    /// Returns the reply to XREVRANGE with each entry reduced to its id.
    private static let idsScript = """
        local r = redis.pcall('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
        if r.err then return r end
        for i = 1, #r do r[i] = {r[i][1]} end
        return r
        """

    /// The stream's key.
    let stream: String
    private var form = Form.readOnlyScript

    /// Creates queries of a stream that use a script at first.
    init(stream: String) {
        self.stream = stream
    }

    /// Whether the replies contain whole entries.
    var fetchesEntries: Bool { self.form == .plain }

    /// The query for the facts of the stream, as reported by XINFO STREAM.
    var facts: RESPCommand {
        self.command(Self.factsScript, [], plain: StreamFacts.command(self.stream))
    }

    /// Returns the query for the ids of up to `count` entries between two ids, last entry first, as with XREVRANGE.
    func ids(from last: String, downTo first: String, count: Int = 1) -> RESPCommand {
        self.command(
            Self.idsScript, [last, first, "\(count)"],
            plain: RESPCommand("XREVRANGE", self.stream, last, first, "COUNT", count))
    }

    /// Records the reply to a query; returns whether the query has to be repeated in another form.
    mutating func note(_ answer: RESPValue) -> Bool {
        guard self.form != .plain, case .error(let text) = answer, !text.hasPrefix(StreamFacts.missing) else {
            return false
        }
        let error = RedisError.answer(text, to: "EVAL")
        // The plain command would get the same error.
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
