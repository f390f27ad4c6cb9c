import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import StageKit
import WebhookStage

/// A request to a collector, which is the same in every attempt.
struct OTLPRequest: Sendable {
    /// The maximum bytes of an answer that are read.
    static let answerLimit = 64 << 10

    /// The destination.
    let url: String
    /// The headers in the file.
    let headers: [NamedSetting<String>]
    /// The body, in JSON.
    let body: [UInt8]

    /// Makes one attempt. The time limit includes reading the answer's body.
    func attempt(_ client: HTTPClient, within limit: Duration) async -> OTLPRule.Attempt {
        await withTaskGroup(of: OTLPRule.Attempt.self) { group in
            group.addTask { await self.exchange(client, limit) }
            group.addTask {
                // Ends early if the other task ends.
                try? await Task.sleep(for: limit)
                return .broken("no complete answer within \(SettingUnits.text(limit)) (timeout)")
            }
            defer { group.cancelAll() }
            // There are two tasks, so there is a first result.
            return await group.next() ?? .broken("no answer")
        }
    }

    private func exchange(_ client: HTTPClient, _ limit: Duration) async -> OTLPRule.Attempt {
        var request = HTTPClientRequest(url: self.url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "sluice")
        for header in self.headers { request.headers.replaceOrAdd(name: header.name, value: header.value) }
        request.body = .bytes(ByteBuffer(bytes: self.body))
        do {
            // The client's timeout covers only the head of the answer. It is later than the attempt's own, so that the
            // message does not depend on which is first.
            let response = try await client.execute(request, timeout: TimeAmount(limit + .seconds(1)))
            var body: [UInt8] = []
            for try await piece in response.body {
                body += piece.readableBytesView
                if body.count > Self.answerLimit { break }
            }
            return .answered(
                OTLPAnswer(
                    status: Int(response.status.code), retryAfter: response.headers.first(name: "Retry-After"),
                    contentType: response.headers.first(name: "Content-Type"), body: body))
        } catch {
            return .broken(SecureHTTP.message(error))
        }
    }
}
