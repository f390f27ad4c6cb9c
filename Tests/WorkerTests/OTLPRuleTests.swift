import StageKit
import Testing

@testable import Operations

/// What the exporter does after an answer of the collector, and what it logs.
@Suite struct OTLPRuleTests {
    private func answer(
        _ status: Int, after retryAfter: String? = nil, type: String? = "application/json", _ body: String = "{}"
    ) -> OTLPRule.Attempt {
        .answered(OTLPAnswer(status: status, retryAfter: retryAfter, contentType: type, body: Array(body.utf8)))
    }

    private func step(_ attempt: OTLPRule.Attempt, number: Int = 1, jitter: Double = 0) -> OTLPRule.Step {
        OTLPRule.step(after: attempt, number: number, jitter: jitter, now: 0)
    }

    @Test("Only lost connections and the statuses that the protocol names are retried", arguments: 200..<600)
    func statuses(status: Int) {
        let step = self.step(self.answer(status))
        switch status {
        case 200..<300: #expect(step == .accepted(nil))
        case 429, 502, 503, 504: #expect(step == .again(after: .milliseconds(500)))
        default:
            guard case .fail(let problem, .zero) = step else { return #expect(Bool(false), "\(step)") }
            #expect(problem.contains("\(status)"))
        }
    }

    @Test("Delays double up to a limit, with a random half, and the last attempt fails")
    func delays() {
        #expect(self.step(.broken("gone")) == .again(after: .milliseconds(500)))
        #expect(self.step(.broken("gone"), jitter: 0.5) == .again(after: .milliseconds(750)))
        #expect(self.step(.broken("gone"), number: 3) == .again(after: .seconds(2)))
        #expect(self.step(.broken("gone"), number: OTLPRule.attempts) == .fail("gone", pause: .zero))
        let many = OTLPRule.step(after: .broken("gone"), number: 60, of: 100, jitter: 0, now: 0)
        #expect(many == .again(after: .seconds(15)))
    }

    @Test(
        "Retry-After is followed: between attempts, or as a pause of all exports",
        arguments: [
            ("0", .again(after: .zero)), ("7", .again(after: .seconds(7))),
            ("Thu, 01 Jan 1970 00:00:20 GMT", .again(after: .seconds(20))),
            ("soon", .again(after: .milliseconds(500))), ("-1", .again(after: .milliseconds(500))),
            ("120", .fail("the collector answered 503 and asks to wait 120 s", pause: .seconds(120))),
            ("4000000000", .fail("the collector answered 503 and asks to wait 4000000000 s", pause: .seconds(300))),
        ] as [(String, OTLPRule.Step)])
    func retryAfter(header: String, step: OTLPRule.Step) {
        #expect(self.step(self.answer(503, after: header)) == step)
    }

    @Test(
        "What a collector rejects in an answer of success is read",
        arguments: [
            ("{}", nil), ("", nil), ("not JSON", nil), (#"{"partialSuccess":{}}"#, nil),
            (#"{"partialSuccess":7}"#, nil), (#"{"partialSuccess":{"rejectedSpans":"0"}}"#, nil),
            (
                #"{"partialSuccess":{"rejectedSpans":"5","errorMessage":"old"}}"#,
                OTLPAnswer.Rejection(count: 5, message: "old")
            ),
            (#"{"partialSuccess":{"rejectedDataPoints":12}}"#, OTLPAnswer.Rejection(count: 12, message: "")),
            (
                #"{"partialSuccess":{"rejectedSpans":-1,"errorMessage":"a \"w\""}}"#,
                OTLPAnswer.Rejection(count: 0, message: "a \"w\"")
            ),
        ] as [(String, OTLPAnswer.Rejection?)])
    func partialSuccess(body: String, rejection: OTLPAnswer.Rejection?) {
        #expect(self.step(self.answer(200, body)) == .accepted(rejection))
    }

    @Test("The collector's message is part of the error, cut if it is long; a web page is no answer of a collector")
    func messages() {
        #expect(
            self.step(self.answer(400, #"{"code":3,"message":"bad"}"#))
                == .fail("the collector answered 400: bad", pause: .zero))
        let long = String(repeating: "x", count: 5000)
        let cut = String(repeating: "x", count: OTLPAnswer.messageLimit)
        #expect(
            self.step(self.answer(413, #"{"message":"\#(long)"}"#))
                == .fail("the collector answered 413: \(cut)", pause: .zero))
        #expect(
            self.step(self.answer(200, type: "text/html; charset=utf-8", "<html>"))
                == .fail("the answer 200 is a web page, not that of a collector", pause: .zero))
        #expect(self.step(self.answer(200, type: nil, "")) == .accepted(nil))
    }

    @Test("A failure is logged first, with another error, and once per interval; a success ends it")
    func reports() {
        var reports = OTLPReports()
        let start = ContinuousClock.now
        let subject = OTLPReports.Subject.exports(.metrics)
        let interval = OTLPReports.interval
        let failures = [
            reports.failed(subject, "down", at: start),
            reports.failed(subject, "down", at: start + .seconds(10)),
            reports.failed(.exports(.traces), "down", at: start + .seconds(10)),
            reports.failed(subject, "refused", at: start + .seconds(20)),
            reports.failed(subject, "refused", at: start + .seconds(30)),
            reports.failed(subject, "refused", at: start + .seconds(20) + interval),
        ]
        #expect(failures == [1, nil, 1, 3, nil, 5])
        let successes = [reports.succeeded(subject), reports.succeeded(subject)]
        #expect(successes == [5, 0])
        let next = reports.failed(subject, "refused", at: start + .seconds(700))
        #expect(next == 1)
    }
}
