import StageKit

/// Reads a password from a file.
enum PasswordFile {
    /// Returns the file's text without trailing line breaks.
    ///
    /// Blocks for the disk, but never for a pipe.
    ///
    /// - Throws: `RedisError` with the code `badSettings` if the file cannot be read or holds no password.
    static func read(_ path: String) throws(RedisError) -> Secret {
        do throws(SecretFile.Unreadable) {
            return Secret(try SecretFile.read(path))
        } catch {
            throw RedisError(
                .badSettings, "redis.password_file: \(error)", isTransient: false,
                credentials: CredentialFailure(.passwordFile))
        }
    }
}
