package import StageKit
import YAML

/// A file that belongs to a pipeline file, such as its tests: YAML with positions and unchanged values.
package enum SettingDocument {
    /// Returns the tree of a file's text, empty if the file is. A syntax error stops reading; `${...}` has no special
    /// meaning.
    package static func read(_ text: [UInt8], file: String) throws(ConfigurationError) -> SettingNode {
        do throws(YAMLError) {
            guard let document = try YAMLParser.parse(text) else {
                return SettingNode(.null, at: SettingPosition(line: 1, column: 1))
            }
            var issues = SettingIssues()
            return ConfigurationTree.convert(document, nil, &issues)
        } catch {
            throw ConfigurationError(
                file: file, issues: [SettingIssue(error.message, at: SettingPosition(error.position))])
        }
    }
}
