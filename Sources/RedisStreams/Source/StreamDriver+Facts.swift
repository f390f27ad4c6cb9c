import ComponentKit
import Logging
import RESP
import RedisClient
import StageKit

// Queries for the stream's facts, and reading without them.
extension StreamDriver {
    /// Handles a refusal to report the facts of the stream: reads on without them if that is allowed.
    ///
    /// - Parameters:
    ///   - permissions: The permissions that are needed, as in `ACL SETUSER`.
    ///   - isRequired: Whether the settings require that gaps are detected.
    /// - Throws: The error if it is not a refusal, or if the settings require the facts.
    func readBlindly(
        after error: RedisError, needing permissions: String, isRequired: Bool
    ) throws(RedisError) {
        guard error.isDenied else { throw error }
        guard !isRequired else { throw error.withoutGapChecks(permissions) }
        self.canCheck = false
        self.update { $0.status.detectsGaps = false }
        self.logger.error(
            "gaps cannot be detected: entries that are trimmed before they are read are lost silently",
            metadata: ["stream": "\(self.streamSettings.stream)", "error": "\(error)"])
    }

    /// Records the server's clock in a reply to `ServerIdentity.command`.
    func noteClock(_ server: RESPValue) {
        self.update { $0.status.clockOffset = ServerIdentity.clockOffset(server) ?? $0.status.clockOffset }
    }
}

extension StreamFacts {
    /// Returns the facts in a reply to a query, or `nil` if the stream does not exist.
    static func answer(_ value: RESPValue) throws(RedisError) -> StreamFacts? {
        if case .error(let text) = value {
            if text.hasPrefix(self.missing) { return nil }
            throw .answer(text, to: "XINFO")
        }
        guard let facts = StreamFacts(value) else {
            throw .unexpectedAnswer(to: "XINFO", "expected the facts of a stream")
        }
        return facts
    }
}

extension RedisError {
    /// Returns the error that ends the run because gaps cannot be detected.
    ///
    /// - Parameter permissions: The permissions that are needed, as in `ACL SETUSER`.
    fileprivate func withoutGapChecks(_ permissions: String) -> RedisError {
        let need =
            self.code == .permission
            ? "detecting lost entries needs \(permissions)" : "lost entries cannot be detected without it"
        return RedisError(
            self.code, "\(self.message); \(need), or set on_gap: continue to read without detection", isTransient: false
        )
    }
}

/// The server process and its clock, in a reply to INFO.
enum ServerIdentity {
    /// The query for both.
    static var command: RESPCommand { RESPCommand("INFO", "server") }

    /// Returns the run id in a reply to INFO, or `nil` if the user lacks the permission or the reply does not contain
    /// it.
    static func runID(_ answer: RESPValue) -> String? {
        guard let id = self.line("run_id", in: answer), (1...64).contains(id.utf8.count) else { return nil }
        return String(id)
    }

    /// Returns the server's clock minus this machine's in seconds, or `nil` as above; servers before 6.2 do not report
    /// their time.
    static func clockOffset(
        _ answer: RESPValue, localMilliseconds: Int64 = WallClock.system.milliseconds
    ) -> Double? {
        guard let microseconds = self.line("server_time_usec", in: answer).flatMap({ Int64($0) }) else { return nil }
        return (Double(microseconds) / 1000 - Double(localMilliseconds)) / 1000
    }

    private static func line(_ name: String, in answer: RESPValue) -> Substring? {
        let line = answer.string?.split(whereSeparator: \.isNewline).first { $0.hasPrefix("\(name):") }
        return line?.dropFirst(name.count + 1)
    }
}
