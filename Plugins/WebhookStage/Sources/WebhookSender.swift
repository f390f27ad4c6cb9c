import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import StageKit

/// A request, which is the same in every attempt.
struct WebhookRequest: Sendable {
    /// The destination.
    let url: String
    /// The body.
    let body: [UInt8]
    /// Identifies the event, so that a server can detect repetitions.
    let idempotencyKey: String
}

/// Sends requests, with limited concurrency, and retries them.
struct WebhookSender: Sendable {
    /// The number of bytes of an answer's body that are read so that the connection can be reused. A longer body closes
    /// it.
    static let answerLimit = 64 << 10

    /// The HTTP client, which owns the connections.
    let client: HTTPClient
    /// The method.
    let method: HTTPMethod
    /// The headers of every request.
    let headers: [WebhookHeader]
    /// The time limit of an attempt.
    let timeout: Duration
    /// Decides what to do after an attempt.
    let rule: RetryRule
    /// The maximum number of concurrent requests.
    let maxInFlight: Int
    /// Logs retries.
    let logger: Logger
    /// The reporter for attempts and answers.
    let progress: ProgressReporter

    /// Sends all requests.
    ///
    /// - Returns: One result per request, in order: `nil` if the server has accepted it, otherwise the failure.
    /// - Throws: An error only if the task is cancelled.
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

    /// Sends one request, with retries according to the rule.
    private func send(_ request: WebhookRequest) async throws -> StageFailure? {
        var number = 1
        while true {
            // The attempt's own timeout ends it; a client that hangs beyond that is detected.
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
                    "webhook: retrying",
                    metadata: [
                        "key": "\(request.idempotencyKey)", "attempt": "\(number)", "result": "\(attempt)",
                        "delay": "\(delay.microseconds / 1000)ms",
                    ])
                // A timer may be late on a busy machine; 1.5 times the delay is still a limit.
                try await self.progress.waiting(atMost: delay * 1.5) { try await Task.sleep(for: delay) }
                number += 1
            }
        }
    }

    /// Makes one attempt. Its time limit includes reading the answer's body.
    private func attempt(_ request: WebhookRequest) async throws -> RetryRule.Attempt {
        try await withThrowingTaskGroup(of: RetryRule.Attempt.self) { group in
            group.addTask { await self.exchange(request) }
            group.addTask {
                try await Task.sleep(for: self.timeout)
                return .broken("no complete response within \(SettingUnits.text(self.timeout)) (timeout)")
            }
            defer { group.cancelAll() }
            // There are two tasks, so there is a first result.
            return try await group.next() ?? .broken("no response")
        }
    }

    private func exchange(_ request: WebhookRequest) async -> RetryRule.Attempt {
        var message = HTTPClientRequest(url: request.url)
        message.method = self.method
        message.headers.add(name: "content-type", value: "application/json")
        message.headers.add(name: "user-agent", value: "sluice")
        for header in self.headers { message.headers.replaceOrAdd(name: header.name, value: header.value) }
        message.headers.add(name: "idempotency-key", value: request.idempotencyKey)
        message.body = .bytes(request.body)
        do {
            // The client's timeout is later than the attempt's own, so that the message does not depend on which is
            // first.
            let response = try await self.client.execute(message, timeout: TimeAmount(self.timeout) + .seconds(1))
            var read = 0
            for try await piece in response.body {
                read += piece.readableBytes
                if read > Self.answerLimit { break }
            }
            return .answered(
                status: Int(response.status.code), retryAfter: response.headers.first(name: "retry-after"))
        } catch {
            return .broken(SecureHTTP.message(error))
        }
    }
}
