import StageKit

/// Finds fields in braces in settings of a stage that are not templates, and that the stage therefore uses as they are.
struct TemplateCheck {
    /// The warnings, one for each text.
    private(set) var warnings: [SettingIssue] = []
    private let fields: Set<String>
    private let templates: Set<SettingPosition>
    private let stage: String

    /// Checks a stage that was created with a setup.
    init(_ stage: GraphLayout.Stage, _ setup: StageSetup) {
        self.fields = Set(setup.fields)
        self.templates = setup.templatePositions
        self.stage = stage.declared.component.type.text
        // The fields of a stage that could not be created are not known, and neither are its templates.
        if setup.issues.all.isEmpty { self.check(stage.declared.component.settings) }
    }

    private mutating func check(_ node: SettingNode) {
        switch node.content {
        case .null: break
        case .sequence(let elements): for element in elements { self.check(element) }
        case .mapping(let pairs): for pair in pairs { self.check(pair.value) }
        case .scalar(let text, _):
            let found = Self.fields(in: text).first(where: self.fields.contains)
            guard let found, !self.templates.contains(node.position) else { return }
            self.warnings.append(
                SettingIssue(
                    "\(self.stage): {\(found)} is used as it is, because this setting is not a template",
                    at: node.position,
                    context: self.stage))
        }
    }

    /// The names in braces. A brace that is written twice does not begin a name.
    private static func fields(in text: String) -> [String] {
        text.replacing("{{", with: "").split(separator: "{", omittingEmptySubsequences: false).dropFirst()
            .compactMap { part in part.firstIndex(of: "}").map { String(part[..<$0]) } }
    }
}
