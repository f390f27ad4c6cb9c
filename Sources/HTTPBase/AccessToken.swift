public import StageKit

/// A token that requests must carry.
public enum AccessToken {
    /// The minimum length of a token; shorter tokens can be guessed.
    public static let leastLength = 16

    /// Returns the problem with a token, or `nil` if there is none.
    public static func problem(_ token: String) -> String? {
        if token.utf8.count < Self.leastLength { return "must have at least \(Self.leastLength) characters" }
        let isPlain = token.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isPlain ? nil : "must be printable ASCII without spaces, as it stands in a header"
    }

    /// Reads a token from a file.
    ///
    /// - Parameters:
    ///   - file: The path, and its position in the pipeline file.
    ///   - setting: The setting with the path, for messages.
    /// - Throws: The problem with the file or its content, without the content.
    public static func read(_ file: LocatedName, setting: String) throws(SettingIssue) -> [UInt8] {
        let token: String
        do throws(SecretFile.Unreadable) {
            token = try SecretFile.read(file.text)
        } catch {
            throw SettingIssue("\(setting): \(error)", at: file.position)
        }
        if let problem = Self.problem(token) {
            throw SettingIssue("\(setting): \(file.text): the token \(problem)", at: file.position)
        }
        return Array(token.utf8)
    }

    /// Returns whether two byte strings are equal, in a time that depends only on the length of the first.
    public static func equals(_ given: some Collection<UInt8>, _ secret: [UInt8]) -> Bool {
        let bytes = Array(given)
        return Self.equals(bytes.span, secret)
    }

    /// Returns whether two byte strings are equal, in a time that depends only on the length of the first.
    public static func equals(_ given: Span<UInt8>, _ secret: [UInt8]) -> Bool {
        var difference = given.count ^ secret.count
        for index in given.indices { difference |= Int(given[index] ^ secret[index % secret.count]) }
        return difference == 0
    }
}
