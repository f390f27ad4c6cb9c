package import Logging
import StageKit

extension Logger {
    /// Logs that something is retried after a delay: as an error that says how long, if only the operator can end it.
    package func logRetry(_ message: Message, after error: RedisError, in delay: Duration, _ more: Metadata = [:]) {
        var metadata: Metadata = [
            "error": "\(error)", "code": "\(error.code.rawValue)", "delay": "\(delay.microseconds / 1000)ms",
        ]
        if error.isCredentialRetry, let failure = error.credentials, let limit = failure.retryLimit {
            metadata["reason"] = "\(failure.reason.rawValue)"
            let time = SettingUnits.text(limit)
            metadata["remedy"] = "correct the credentials; the run ends after \(time) (redis.credential_timeout)"
        }
        self.log(level: error.isCredentialRetry ? .error : .warning, message, metadata: metadata.merging(more) { $1 })
    }
}
