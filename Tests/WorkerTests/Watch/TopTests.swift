import Foundation
import NIOCore
import StageKit
import Testing

@testable import Commands
@testable import Documentation

@Suite struct TopTests {
    private func view(
        read: Int, now: Int, key: String = "ds-1", ready: Bool = true,
        lag: String = #""lag":{"entries":0,"seconds":0.000}"#
    ) throws -> LiveView {
        try LiveView(
            """
            {"graph":{"pipeline":"p","source":{"type":"redis_stream","stream":"s"}},"read":\(read),
            "outcomes":[{"outcome":"applied","reason":"","count":\(read)},{"outcome":"dropped","reason":"bad","count":3}],
            "stages":[{"name":"decode","passed":\(read),"finished":0,"failed":3,"skipped":0}],
            "source":{"state":"reading","reconnects":0,"cursor":"5-0","caught_up":\(ready)},"now_ms":\(now),"ready":\(ready),
            "advice":[{"level":"\(ready ? "good" : "bad")","title":"T","text":"words that are told"}],
            \(lag),"freshness":[{"store":"sessions","entries":1234567,"age_s":0.100}],
            "drops":[{"entry":"5-0","outcome":"dropped","reason":"bad","stage":"decode","key":\(JSONValue.string(key).compact),
            "error":"no","at_ms":1000}],"revocations":{"total":7,"recent":[{"key":"k","entry":"5-0","added_ms":5}]}}
            """)
    }

    @Test("Rates are differences of counters, and no screen is larger than its terminal")
    func picture() throws {
        let picture = TopPicture(
            view: try self.view(read: 3000, now: 3000), before: try self.view(read: 1000, now: 2000))
        #expect(picture.line.contains("2,000/s"))
        #expect(picture.line.contains("sessions 1,234,567"))
        for (columns, rows) in [(80, 24), (40, 10), (200, 60), (1, 2)] {
            let lines = picture.lines(columns: columns, rows: rows)
            #expect(lines.count < max(2, rows))
            for line in lines {
                #expect(line.replacing(try Regex("\u{1B}\\[[0-9;]*[a-zA-Z]"), with: "").count <= columns)
            }
        }
        #expect(picture.lines(columns: 100, rows: 40).contains { $0.contains("decode") && $0.contains("2,000") })
    }

    @Test(
        "An unknown lag is shown as unknown",
        arguments: [
            (#""lag":{}"#, "unknown"), (#""lag":{"entries":7}"#, "7 entries"), (#""lag":{"seconds":3}"#, "3.0 s"),
            (#""lag":{"entries":7,"seconds":12}"#, "7 entries, 12 s"),
        ])
    func unknownLag(lag: String, text: String) throws {
        let view = try self.view(read: 1, now: 1, ready: false, lag: lag)
        let lines = TopPicture(view: view, before: nil).lines(columns: 100, rows: 40)
        #expect(lines.contains { $0.hasSuffix("behind     \(text)") }, "\(lines)")
    }

    @Test("A worker that is not ready shows the reasons")
    func advice() throws {
        let picture = TopPicture(view: try self.view(read: 1, now: 1, ready: false), before: nil)
        let text = picture.lines(columns: 80, rows: 40).joined(separator: "\n")
        #expect(text.contains("not ready"))
        #expect(text.contains("words that are told"))
        #expect(picture.line.hasSuffix("(T)"))
    }

    @Test("Values from the stream cannot move the terminal's cursor")
    func hostile() throws {
        let picture = TopPicture(view: try self.view(read: 1, now: 1, key: "\u{1B}[2J\u{9B}31m\u{202E}x"), before: nil)
        let line = try #require(
            picture.lines(columns: 200, rows: 40).first { $0.contains("decode") && $0.contains("bad") })
        #expect(!line.contains("\u{1B}[2J"))
        #expect(!line.unicodeScalars.contains("\u{9B}"))
        #expect(PlainText.of("a\nb\u{7}c\u{202E}\u{9B}é") == #"a\u{a}b\u{7}c\u{202e}\u{9b}é"#)
    }

    @Test(
        "Rates and counts are formatted for people",
        arguments: [(0, "0"), (0.24, "0.2"), (9.96, "10.0"), (10, "10"), (1234.5, "1,235"), (1_000_000, "1,000,000")])
    func numbers(value: Double, text: String) {
        #expect(TopPicture.rate(value) == text)
    }

    @Test("Events are parsed however the stream is split")
    func events() throws {
        let text = "retry: 1000\n\n: keep-alive\n\nevent: a\nid: x-1\ndata: {\"n\":1}\n\nevent: b\ndata: é\n\n"
        for size in 1...text.utf8.count {
            var parser = ServerSentEvents()
            var events: [ServerSentEvent] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                events += try parser.take(ByteBuffer(bytes: rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            #expect(events == [.init(name: "a", data: "{\"n\":1}"), .init(name: "b", data: "é")], "pieces of \(size)")
        }
    }

    @Test("A stream without a line end is refused")
    func endless() {
        var parser = ServerSentEvents()
        #expect(throws: AdminClient.Failure.self) {
            for _ in 0..<40 { _ = try parser.take(ByteBuffer(repeating: 0x78, count: 1 << 20)) }
        }
    }
}
