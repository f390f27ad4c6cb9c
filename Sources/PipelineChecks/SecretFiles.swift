import Admin
import ComponentKit
import Gateway
import HTTPBase
import LocalFiles
import RedisClient
import StageKit

/// Checks that files with secrets are not readable by others.
enum SecretFiles {
    /// Returns a step for each file that others may read; a missing file is reported where it is used.
    static func steps(_ redis: RedisSettings?, _ admin: AdminSettings, _ gateway: GatewaySettings?) -> [CheckStep] {
        let files = [
            ("redis.password_file", redis?.passwordFile), ("redis.tls.key_file", redis?.tls?.keyFile),
            ("admin.token_file", admin.tokenFile?.text),
            ("admin.lookup_token_file", admin.lookupTokenFile?.text),
            ("admin.tls.key_file", admin.tls?.keyFile.text),
            ("gateway.http.token_file", gateway?.http?.tokenFile?.text),
            ("gateway.http.tls.key_file", gateway?.http?.tls?.keyFile.text),
            ("gateway.grpc.token_file", gateway?.grpc?.tokenFile?.text),
            ("gateway.grpc.tls.key_file", gateway?.grpc?.tls?.keyFile.text),
            ("gateway.redis.password_file", gateway?.redis?.passwordFile?.text),
            ("gateway.redis.tls.key_file", gateway?.redis?.tls?.keyFile.text),
        ]
        return files.compactMap { setting, path in
            guard let path, let status = FileStatus(of: path) else { return nil }
            return self.step(setting, path, status.permissions)
        }
    }

    /// Returns the consequence of permissions (mode bits, as for chmod) for a secret, or `nil` if nothing is wrong.
    static func step(_ setting: String, _ path: String, _ permissions: Int) -> CheckStep? {
        guard permissions & 0o007 != 0 else { return nil }
        return CheckStep(
            "secrets", .warning, "\(setting): every user of this machine can read \(path)",
            advice: "chmod o= \(path)")
    }
}
