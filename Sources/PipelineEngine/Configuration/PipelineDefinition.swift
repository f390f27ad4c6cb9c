import ComponentKit
import StageKit

/// The parts of a pipeline file: the types that it names, with settings that are not decoded yet.
struct PipelineDefinition {
    /// A named type with its settings.
    struct Component {
        /// The type's name.
        var type: LocatedName
        /// Its settings.
        var settings: SettingNode
    }

    /// A stage in a list.
    struct DeclaredStage {
        /// The type with its settings.
        var component: Component
        /// The stage's name in the file, or `nil`.
        var name: LocatedName?
        /// The condition, or `nil` if every event passes.
        var condition: ConditionSettings?
        /// The consequence of a failure, or `nil` if the file does not set it.
        var onFailure: FailureRule?
    }

    /// A named list of stages.
    struct Branch {
        /// The branch's name.
        var name: LocatedName
        /// Its stages.
        var stages: [DeclaredStage]
    }

    /// Names that a branch cannot have, with the setting in which they are keywords.
    static let reservedWords = [
        "drop": "on_failure", "halt": "on_failure", "dead_letter": "on_failure", "retry": "on_failure",
        "next": "route",
    ]
    /// The maximum number of stages in a file, including branches: far beyond any sensible graph, so that checks are
    /// fast.
    static let stageLimit = 1000

    private(set) var name = ""
    private(set) var source: Component?
    /// The consequence for entries that fail at the source, or `nil` if the file does not set it.
    private(set) var sourceFailure: FailureRule.Target?
    private(set) var stores: [(name: LocatedName, component: Component)] = []
    private(set) var stages: [DeclaredStage] = []
    private(set) var branches: [Branch] = []
    private(set) var sections: [String: SettingNode] = [:]
    /// The lanes with their position, or `nil` to process one event after another.
    private(set) var lanes: (settings: LaneSettings, position: SettingPosition)?

    /// Reads the tree; errors go to the issues.
    init(_ root: SettingNode, catalogue: Catalogue, _ issues: inout SettingIssues) {
        let known = ["pipeline", "plugins", "source", "stores", "stages", "branches", "lanes"]
        let sectionNames = catalogue.sections.map(\.name)
        for entry in root.pairs ?? [] {
            switch entry.key {
            case "pipeline": self.name = Self.pipelineName(entry.value, &issues)
            case Catalogue.pluginsKey: break
            case "source": self.readSource(entry, &issues)
            case "stores": self.stores = Self.stores(entry.value, &issues)
            case "stages": self.stages = Self.stages(entry.value, catalogue, "stages", &issues)
            case "lanes":
                let settings = issues.within("lanes") { LaneSettings.type.decode(entry.value, &$0) }
                self.lanes = settings.map { ($0, entry.position) }
            case "branches": self.branches = Self.branches(entry.value, catalogue, &issues)
            case let name where sectionNames.contains(name): self.sections[name] = entry.value
            default:
                let hint = Nearest.hint(for: entry.key, among: known + sectionNames)
                issues.add("unknown section \"\(entry.key)\"\(hint)", at: entry.position)
            }
        }
        for name in ["pipeline", "source", "stages"] where root[name] == nil {
            issues.add("missing section \"\(name)\"", at: root.position)
        }
        let count = self.stages.count + self.branches.reduce(0) { $0 + max(1, $1.stages.count) }
        if count > Self.stageLimit {
            issues.add("too many stages: \(count), the maximum is \(Self.stageLimit)", at: root.position)
            (self.stages, self.branches) = ([], [])
        }
    }

    /// The name is a label of metrics, so it must have the form of one.
    private static func pipelineName(_ node: SettingNode, _ issues: inout SettingIssues) -> String {
        issues.within("pipeline") { issues in
            guard let name = SettingType<String>.nonBlankText.decode(node, &issues) else { return "" }
            let isPlain = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
            if !isPlain { issues.add("a name may only contain letters, digits, _ and -", at: node.position) }
            return name
        }
    }

    /// All stages in the file, then those that failure rules create for dead letters.
    var components: [Component] {
        let entries = self.stages + self.branches.flatMap(\.stages)
        let targets = entries.map { $0.onFailure?.target } + [self.sourceFailure]
        return entries.map(\.component)
            + targets.compactMap { target in
                guard case .deadLetter(let settings, let position)? = target else { return nil }
                return Component(type: LocatedName(GraphLayout.deadLetterType, at: position), settings: settings)
            }
    }

    /// `{ type: { settings } }` with exactly one type.
    private static func component(
        _ node: SettingNode, what: String, _ position: SettingPosition, _ issues: inout SettingIssues
    ) -> Component? {
        guard let entries = node.pairs, entries.count == 1, let entry = entries.first else {
            issues.add("\(what): expected one type with its settings, found \(Self.counted(node))", at: position)
            return nil
        }
        return Component(type: LocatedName(entry.key, at: entry.position), settings: entry.value)
    }

    /// A type with its settings and the keys next to it.
    private mutating func readSource(_ entry: SettingNode.Pair, _ issues: inout SettingIssues) {
        var node = entry.value
        if let rule = node["on_failure"], let entries = node.pairs {
            node.content = .mapping(entries.filter { $0.key != "on_failure" })
            self.sourceFailure = issues.within("source: on_failure") { FailureRule.sourceTarget(rule, &$0) }
        }
        self.source = Self.component(node, what: "source", entry.position, &issues)
    }

    private static func counted(_ node: SettingNode) -> String {
        node.pairs.map { "\($0.count) names" } ?? node.kindName
    }

    private static func stores(
        _ node: SettingNode, _ issues: inout SettingIssues
    ) -> [(name: LocatedName, component: Component)] {
        guard let entries = node.pairs else {
            issues.add("stores: expected a mapping of names to stores, found \(node.kindName)", at: node.position)
            return []
        }
        return entries.compactMap { entry in
            self.component(entry.value, what: "stores: \(entry.key)", entry.position, &issues).map {
                (LocatedName(entry.key, at: entry.position), $0)
            }
        }
    }

    private static func branches(
        _ node: SettingNode, _ catalogue: Catalogue, _ issues: inout SettingIssues
    ) -> [Branch] {
        guard let entries = node.pairs else {
            issues.add(
                "branches: expected a mapping of names to lists of stages, found \(node.kindName)", at: node.position)
            return []
        }
        return entries.map { entry in
            if let place = Self.reservedWords[entry.key] {
                issues.add("branches: \"\(entry.key)\" is reserved in \(place)", at: entry.position)
            }
            return Branch(
                name: LocatedName(entry.key, at: entry.position),
                stages: self.stages(entry.value, catalogue, "branches: \(entry.key)", &issues))
        }
    }

    private static func stages(
        _ node: SettingNode, _ catalogue: Catalogue, _ what: String, _ issues: inout SettingIssues
    ) -> [DeclaredStage] {
        guard case .sequence(let items) = node.content, !items.isEmpty else {
            let found = if case .sequence = node.content { "an empty list" } else { node.kindName }
            issues.add("\(what): expected a list of stages (- decode: ...), found \(found)", at: node.position)
            return []
        }
        return items.compactMap { self.stage($0, catalogue, &issues) }
    }

    private static func stage(
        _ node: SettingNode, _ catalogue: Catalogue, _ issues: inout SettingIssues
    ) -> DeclaredStage? {
        if case .scalar(let type, _) = node.content {
            let nothing = SettingNode(.null, at: node.position)
            return DeclaredStage(component: Component(type: LocatedName(type, at: node.position), settings: nothing))
        }
        guard let entries = node.pairs else {
            issues.add("expected a stage (decode: ...), found \(node.kindName)", at: node.position)
            return nil
        }
        let words = Self.stageWords.map(\.name)
        let types = entries.filter { !words.contains($0.key) }
        guard let type = types.first else {
            let others = entries.map(\.key).joined(separator: ", ")
            issues.add("expected a stage type in addition to \(others)", at: node.position)
            return nil
        }
        for extra in types.dropFirst() {
            let hint = Nearest.hint(for: extra.key, among: words)
            let message = "a stage has one type, found \"\(type.key)\" and \"\(extra.key)\""
            issues.add(message + (hint.hasPrefix(" (did") ? hint : " (start a new - item)"), at: extra.position)
        }
        var stage = DeclaredStage(
            component: Component(type: LocatedName(type.key, at: type.position), settings: type.value))
        issues.within(type.key) { issues in
            for entry in entries {
                switch entry.key {
                case "name": stage.name = SettingType<LocatedName>.name.decode(entry.value, &issues)
                case "on_failure":
                    stage.onFailure = issues.within("\(type.key): on_failure") { FailureRule(entry.value, &$0) }
                case "when":
                    stage.condition = issues.within("\(type.key): when") {
                        SettingType.condition.decode(entry.value, &$0)
                    }
                default: break
                }
            }
        }
        return stage
    }
}
