import RESP
import RedisClient
import StageKit
import Testing

@testable import RedisStreams

@Suite struct StreamQuestionsTests {
    private let stream = "s"

    private func name(_ command: RESPCommand) -> String {
        String(decoding: command.arguments[0], as: UTF8.self)
    }

    @Test("A read-only script is tried first, then any script, then plain commands")
    func forms() {
        var questions = StreamQuestions(stream: self.stream)
        #expect(
            self.name(questions.facts) == "EVAL_RO" && self.name(questions.ids(from: "+", downTo: "-")) == "EVAL_RO")
        var isRefused = questions.note(.error("ERR unknown command `EVAL_RO`, with args beginning with: "))
        #expect(isRefused && self.name(questions.facts) == "EVAL" && !questions.fetchesEntries)
        isRefused = questions.note(.error("NOPERM this user has no permissions to run the 'eval' command"))
        #expect(isRefused && questions.fetchesEntries && questions.facts == StreamFacts.command(self.stream))
        #expect(
            questions.ids(from: "9-1", downTo: "9-0") == RESPCommand("XREVRANGE", "s", "9-1", "9-0", "COUNT", 1))
        isRefused = questions.note(.error("NOPERM this user has no permissions to run the 'xinfo' command"))
        #expect(!isRefused)
    }

    @Test("A missing stream has no facts; any other error, and a reply of another form, is an error")
    func answers() throws {
        #expect(try StreamFacts.answer(.error("ERR no such key")) == nil)
        let denied = #expect(throws: RedisError.self) { try StreamFacts.answer(.error("NOPERM no 'xinfo'")) }
        #expect(denied?.isDenied == true)
        let odd = #expect(throws: RedisError.self) { try StreamFacts.answer(.array([])) }
        #expect(odd?.code == .protocolViolation)
        let facts = try StreamFacts.answer(
            .array([
                .bulk(Array("length".utf8)), .integer(0), .bulk(Array("last-generated-id".utf8)),
                .bulk(Array("5-0".utf8)),
            ]))
        #expect(facts?.generated == EntryID(milliseconds: 5, sequence: 0))
    }

    @Test("The key is at the position that a cluster expects")
    func key() {
        let arguments = StreamQuestions(stream: self.stream).facts.arguments
        #expect(Array(arguments[2...]) == [Array("1".utf8), Array("s".utf8)])
    }

    @Test(
        "Replies to the plain commands are accepted",
        arguments: [
            "ERR no such key", "LOADING Redis is loading", "WRONGTYPE Operation against a key", "MOVED 1 127.0.0.1:1",
            "READONLY You can't write against a read only replica.", "MASTERDOWN Link with MASTER is down",
        ])
    func answers(text: String) {
        var questions = StreamQuestions(stream: self.stream)
        let isRefused = [RESPValue.error(text), .array([])].map { questions.note($0) }.contains(true)
        #expect(!isRefused && questions == StreamQuestions(stream: self.stream) && !questions.fetchesEntries)
    }
}
