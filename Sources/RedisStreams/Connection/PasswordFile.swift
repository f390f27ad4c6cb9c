import StageKit

/// Reads a password out of a file.
enum PasswordFile {
    /// The file's text without line ends behind it.
    ///
    /// Waits for the disk; does not wait for a pipe. Throws `badSettings` where there is no password to be had.
    static func read(_ path: String) throws(RedisError) -> Secret {
        do throws(SecretFile.Unreadable) {
            return Secret(try SecretFile.read(path))
        } catch {
            throw RedisError(.badSettings, "redis.password_file: \(error)", isTransient: false)
        }
    }
}
