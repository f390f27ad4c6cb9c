import StageKit
import Testing

@testable import WebhookStage

@Suite struct RetryRuleTests {
    private let rule = RetryRule(retries: 3, firstWait: .milliseconds(200))

    @Test("Any 2xx status is a success", arguments: [200, 201, 204, 299])
    func done(status: Int) {
        #expect(
            self.rule.step(after: .answered(status: status, retryAfter: "9"), number: 4, jitter: 0, now: 0) == .done)
    }

    @Test("Temporary failures are retried", arguments: [429, 500, 502, 503, 504, 599])
    func repeated(status: Int) {
        let attempt = RetryRule.Attempt.answered(status: status, retryAfter: nil)
        #expect(self.rule.step(after: attempt, number: 1, jitter: 0, now: 0) == .again(after: .milliseconds(100)))
        let last = self.rule.step(after: attempt, number: 4, jitter: 0, now: 0)
        #expect(last == .fail("the server answered \(status) (attempt 4 of 4)"))
    }

    @Test("Permanent failures are not retried", arguments: [400, 401, 403, 404, 410, 422])
    func refused(status: Int) {
        let step = self.rule.step(after: .answered(status: status, retryAfter: "1"), number: 1, jitter: 0, now: 0)
        #expect(step == .fail("the server answered \(status)"))
    }

    @Test("A redirect is reported as a failure", arguments: [301, 302, 303, 307, 308])
    func redirect(status: Int) {
        let step = self.rule.step(after: .answered(status: status, retryAfter: nil), number: 1, jitter: 0, now: 0)
        #expect(
            step == .fail("the server answered \(status): redirects are not followed; use the target in url"))
    }

    @Test("The wait doubles up to its cap, and jitter takes up to half of it")
    func waits() {
        let rule = RetryRule(retries: 10, firstWait: .seconds(8))
        let broken = RetryRule.Attempt.broken("no connection")
        let steps = (1...4).map { rule.step(after: broken, number: $0, jitter: 1, now: 0) }
        #expect(steps == [8, 16, 30, 30].map { .again(after: .seconds($0)) })
        #expect(rule.step(after: broken, number: 2, jitter: 0, now: 0) == .again(after: .seconds(8)))
        #expect(
            RetryRule(retries: 0, firstWait: .seconds(1)).step(after: broken, number: 1, jitter: 0, now: 0)
                == .fail("no connection"))
    }

    @Test(
        "Retry-After with seconds or a date is honoured up to its cap; other forms are not",
        arguments: [
            ("0", 0), ("7", 7), ("3600", 60), ("4294967296", 1), ("-1", 1), ("soon", 1), ("", 1),
            ("Sun, 06 Nov 1994 08:49:42 GMT", 5), ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:30 GMT", 0), ("Sun, 06 Nov 2050 08:49:37 GMT", 60),
            ("Sunday, 06-Nov-94 08:49:42 GMT", 5), ("Sun Nov  6 08:49:42 1994", 5),
            ("Sun, 06 Nov 1994 08:49:42", 1), ("Sun, 32 Nov 1994 08:49:42 GMT", 1),
            ("Sun, 06 Now 1994 08:49:42 GMT", 1),
            ("Sun, 06 Nov 1994 24:49:42 GMT", 1), ("Sun, 06 Nov 1994 8:49:42 GMT", 1),
        ])
    func retryAfter(text: String, seconds: Int) {
        let rule = RetryRule(retries: 1, firstWait: .seconds(1))
        // The time of the example in RFC 9110: 1994-11-06T08:49:37Z.
        let step = rule.step(
            after: .answered(status: 503, retryAfter: text), number: 1, jitter: 1, now: 784_111_777_000)
        #expect(step == .again(after: .seconds(seconds)))
    }

    @Test(
        "Dates of HTTP headers are read in all three forms",
        arguments: [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777_000),
            ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199_000), ("Monday, 30-Nov-26 10:00:00 GMT", 1_796_032_800_000),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777_000), ("Sun Nov  6 08:49:37 1994", 784_111_777_000),
        ])
    func dates(text: String, milliseconds: Int64) {
        #expect(HTTPDate.milliseconds(text, now: 1_796_000_000_000) == milliseconds)
    }
}

@Suite struct WebhookHeaderTests {
    @Test("A header file is read line by line; errors are reported without the value")
    func file() throws {
        let headers = try WebhookHeader.parse("X-Token: a:b\r\n\n  \nX-Two:\tc \n", path: "f")
        #expect(headers == [WebhookHeader(name: "X-Token", value: "a:b"), WebhookHeader(name: "X-Two", value: "c ")])
        for (text, place) in [
            ("secret", "f: line 1 does not have the form Name: value"), ("A: b\nx y: secret", "f: line 2 is not a"),
        ] {
            let error = #expect(throws: WebhookHeader.FileMistake.self) {
                try WebhookHeader.parse(text, path: "f")
            }
            #expect(error?.description.hasPrefix(place) == true, "\(error?.description ?? "")")
            #expect(error?.description.contains("secret") == false)
        }
    }

    @Test("A stream's name that no header can hold is encoded in the key")
    func key() {
        let entry = EntryID(milliseconds: 5, sequence: 1)
        let id = EventID(entry)
        #expect(WebhookStage.key(stream: "orders:paid", id: id) == "orders:paid/5-1")
        #expect(WebhookStage.key(stream: "orders:paid", id: EventID(entry, element: 0)) == "orders:paid/5-1#0")
        #expect(WebhookStage.key(stream: "a b%\n", id: id) == "a%20b%25%0A/5-1")
        #expect(WebhookStage.key(stream: "é", id: id) == "%C3%A9/5-1")
    }
}
