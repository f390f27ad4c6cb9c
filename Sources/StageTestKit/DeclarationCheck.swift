import StageKit

/// Checks that apply to every declaration.
enum DeclarationCheck {
    /// Returns the declaration's violations of the contract, one sentence each.
    static func violations(of type: StageType) -> [String] {
        var found: [String] = []
        if !self.isSnakeCase(type.name) { found.append("the name \"\(type.name)\" is not in lower_snake_case") }
        if !self.isSnakeCase(type.failureReason) {
            found.append("the failure reason \"\(type.failureReason)\" is not in lower_snake_case")
        }
        if !self.isSentence(type.summary) { found.append("the summary is not one sentence: \"\(type.summary)\"") }
        if !type.example.contains("\(type.name):") { found.append("the example does not use the stage") }
        return found
    }

    /// Returns whether a name consists of words of a to z and digits, joined by `_`, and starts with a letter.
    static func isSnakeCase(_ name: String) -> Bool {
        let words = name.split(separator: "_", omittingEmptySubsequences: false)
        return words.allSatisfy { word in
            !word.isEmpty && word.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
        } && name.first?.isLetter == true
    }

    /// Returns whether a text starts with a capital letter, ends with a full stop and contains no other.
    static func isSentence(_ text: String) -> Bool {
        text.first?.isUppercase == true && text.hasSuffix(".") && text.count > 1
            && !text.contains("\n") && !text.contains(". ")
    }
}
