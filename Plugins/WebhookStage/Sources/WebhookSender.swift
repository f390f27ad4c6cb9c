import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import StageKit

/// A request that is the same in every attempt.
struct WebhookRequest: Sendable {
    /// The body.
    let body: [UInt8]
    /// Names the event, so that a server can tell a repetition.
    let idempotencyKey: String
}

/// Sends requests, a bounded number at once, and repeats what can be repeated.
struct WebhookSender: Sendable {
    /// Bytes of an answer's body that are read, so that the connection can be used again; what is longer ends it.
    static let answerLimit = 64 << 10

    /// Has the connections.
    let client: HTTPClient
    /// Where to.
    let url: String
    /// The method.
    let method: HTTPMethod
    /// Headers of every request.
    let headers: [WebhookHeader]
    /// The time an attempt has.
    let timeout: Duration
    /// What follows an attempt.
    let rule: RetryRule
    /// The most requests at once.
    let maxInFlight: Int
    /// Is told of repetitions.
    let logger: Logger
    /// Where each attempt and each answer is reported.
    let progress: ProgressReporter

    /// Sends all of them and returns a result for each, in their order: nil where the server has it.
    ///
    /// Throws only where the task is cancelled.
    func send(_ requests: [WebhookRequest]) async throws -> [StageFailure?] {
        try await withThrowingTaskGroup(of: (Int, StageFailure?).self) { group in
            var results = [StageFailure?](repeating: nil, count: requests.count)
            var next = 0
            while next < min(self.maxInFlight, requests.count) {
                let index = next
                group.addTask { (index, try await self.send(requests[index])) }
                next += 1
            }
            while let (index, result) = try await group.next() {
                results[index] = result
                guard next < requests.count else { continue }
                let following = next
                group.addTask { (following, try await self.send(requests[following])) }
                next += 1
            }
            return results
        }
    }

    /// Sends one, as often as the rule has it.
    private func send(_ request: WebhookRequest) async throws -> StageFailure? {
        var number = 1
        while true {
            // The attempt's own clock ends it; a client that hangs beyond that shows.
            let attempt = try await self.progress.waiting(atMost: self.timeout * 1.5) {
                try await self.attempt(request)
            }
            try Task.checkCancellation()
            let step = self.rule.step(
                after: attempt, number: number, jitter: Double.random(in: 0..<1), now: WallClock.system.milliseconds)
            switch step {
            case .done: return nil
            case .fail(let problem):
                var failure = StageFailure("webhook: \(problem)")
                failure.attempts = number
                return failure
            case .again(let delay):
                self.logger.info(
                    "webhook: trying again",
                    metadata: [
                        "key": "\(request.idempotencyKey)", "attempt": "\(number)", "result": "\(attempt)",
                        "delay": "\(delay.microseconds / 1000)ms",
                    ])
                // A timer may be late on a busy machine; half as long again is still a bound.
                try await self.progress.waiting(atMost: delay * 1.5) { try await Task.sleep(for: delay) }
                number += 1
            }
        }
    }

    /// Makes one attempt; the time it has runs until the answer's body is read.
    private func attempt(_ request: WebhookRequest) async throws -> RetryRule.Attempt {
        try await withThrowingTaskGroup(of: RetryRule.Attempt.self) { group in
            group.addTask { await self.exchange(request) }
            group.addTask {
                try await Task.sleep(for: self.timeout)
                return .broken("no whole answer within \(SettingUnits.text(self.timeout)) (timeout)")
            }
            defer { group.cancelAll() }
            // There are two tasks, so there is a first.
            return try await group.next() ?? .broken("no answer")
        }
    }

    private func exchange(_ request: WebhookRequest) async -> RetryRule.Attempt {
        var message = HTTPClientRequest(url: self.url)
        message.method = self.method
        message.headers.add(name: "content-type", value: "application/json")
        message.headers.add(name: "user-agent", value: "sluice")
        for header in self.headers { message.headers.replaceOrAdd(name: header.name, value: header.value) }
        message.headers.add(name: "idempotency-key", value: request.idempotencyKey)
        message.body = .bytes(request.body)
        do {
            // The attempt's own clock ends it; the client's is behind it, so that what is told does not hang on which is first.
            let response = try await self.client.execute(message, timeout: TimeAmount(self.timeout) + .seconds(1))
            var read = 0
            for try await piece in response.body {
                read += piece.readableBytes
                if read > Self.answerLimit { break }
            }
            return .answered(
                status: Int(response.status.code), retryAfter: response.headers.first(name: "retry-after"))
        } catch {
            return .broken("\(error)")
        }
    }
}
