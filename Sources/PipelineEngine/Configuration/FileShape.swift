import ComponentKit
public import StageKit

/// The shape of a pipeline file as data, from which the JSON Schema and the documentation are generated.
public struct FileShape: Sendable {
    /// The name by which references refer to the shape of a stage in a list.
    public static let stageName = "stage"

    /// The name by which references refer to the shape of the dead-letter settings.
    static let deadLetterName = "dead_letter"

    private static let lanes = SettingDescription(
        name: "lanes", shape: LaneSettings.type.shape,
        summary: "Processes several keys at the same time, each key's events in order.")

    /// The whole file.
    public let root: SettingShape
    /// The shapes that references refer to.
    public let definitions: [(name: String, shape: SettingShape)]

    /// The sections with settings of their own: the engine's, then the catalogue's.
    public let sections: [SettingDescription]

    /// The shape of files that may name the types of a catalogue.
    public init(_ catalogue: Catalogue) {
        let stages = catalogue.stages.map {
            SettingDescription(name: $0.name, shape: $0.shape, summary: $0.summary)
        }
        let words = stages.filter { $0.shape.acceptsNothing }.map(\.name)
        let item = SettingShape.oneName(stages, beside: PipelineDefinition.stageWords)
        let deadLetter = stages.first { $0.name == GraphLayout.deadLetterType }?.shape ?? .object([])
        self.definitions = [
            (Self.stageName, words.isEmpty ? item : .either([item, .choice(words)])),
            (ConditionSettings.shapeName, ConditionSettings.shape), (Self.deadLetterName, deadLetter),
        ]
        let sources = catalogue.sources.map {
            SettingDescription(name: $0.name, shape: $0.shape, summary: $0.summary)
        }
        let stores = catalogue.stores.map {
            SettingDescription(name: $0.name, shape: $0.shape, summary: $0.summary)
        }
        let list = SettingShape.list(.reference(Self.stageName), orSingle: false, minimum: 1)
        let own = [
            SettingDescription(
                name: "pipeline", shape: .form("letters, digits, _ and -", pattern: "^[A-Za-z0-9_-]+$"),
                isRequired: true, summary: "The pipeline's name, the component of its counters."),
            SettingDescription(
                name: Catalogue.pluginsKey, shape: Catalogue.pluginsType.shape,
                summary:
                    "Shared libraries with stage, source and store types; paths are relative to this file's directory."
            ),
            SettingDescription(
                name: "source", shape: .oneName(sources, beside: [PipelineDefinition.sourceWord]), isRequired: true,
                summary: "The source of the events."),
            SettingDescription(
                name: "stores", shape: .map(.oneName(stores)),
                summary: "Stores that stages change and lookups read, each under a name of your choice."),
            SettingDescription(
                name: "stages", shape: list, isRequired: true, summary: "Stages that every event passes, in order."),
            SettingDescription(
                name: "branches", shape: .map(list),
                summary: "Further lists of stages, each under a name of your choice, that on_failure and route lead to."
            ),
        ]
        self.sections =
            [Self.lanes]
            + catalogue.sections.map {
                SettingDescription(name: $0.name, shape: $0.shape, summary: $0.summary)
            }
        self.root = .object(own + self.sections)
    }
}

extension PipelineDefinition {
    /// The key that is allowed next to a source's type.
    static let sourceWord = SettingDescription(
        name: "on_failure", shape: FailureRule.targetType.shape, defaultText: "drop",
        summary:
            "Consequence for entries that a group delivered too often: a branch, drop, halt or dead_letter.")

    /// The keys that are allowed next to a stage's type.
    static let stageWords = [
        SettingDescription(
            name: "name", shape: SettingType<LocatedName>.name.shape,
            summary: "Name of the stage in metrics and journals; default: its type."),
        SettingDescription(
            name: "when", shape: SettingType<ConditionSettings>.condition.shape,
            summary: "Condition for events to enter the stage: field names with values or bounds, any, all, not."),
        SettingDescription(
            name: "on_failure", shape: FailureRule.shape, defaultText: "drop",
            summary: "Consequence of a failure: a branch, drop, halt, dead_letter, or a retry of the stage."),
    ]
}

extension SettingShape {
    /// Whether the settings may be omitted completely.
    public var acceptsNothing: Bool {
        switch self {
        case .object(let names): !names.contains { $0.isRequired || $0.alternatives != nil }
        case .nullable: true
        case .either(let shapes): shapes.contains(where: \.acceptsNothing)
        case .text, .nonBlankText, .secret, .integer, .boolean, .duration, .byteSize, .choice, .list, .map, .oneName,
            .form, .reference:
            false
        }
    }
}
