import ComponentKit
public import StageKit

/// The types, settings and sections that a pipeline file names, for checks that compare several parts of the file.
public struct FileOutline: Sendable {
    /// A source, a store or a stage with its settings, not yet decoded.
    public struct Part: Sendable {
        /// The store's name; the type's name for a source or a stage.
        public var name: String
        /// The type's name.
        public var type: String
        /// The settings.
        public var settings: SettingNode
        /// The position of the name.
        public var position: SettingPosition
        /// The keys and channels that the part uses on a server, empty if its settings are invalid; `nil` if its type uses
        /// none.
        public var keys: [ServerKey]?
    }

    /// Errors, which keep the pipeline from running, and warnings, which do not.
    public struct Findings: Sendable {
        /// Errors.
        public var issues = SettingIssues()
        /// Warnings.
        public var warnings = SettingIssues()

        /// Nothing found.
        public init() {}
    }

    /// The source, or `nil` if the file has none that can be read.
    public let source: Part?
    /// The stores, in the order of the file.
    public let stores: [Part]
    /// The stages, in the order of the file, then the stages created for failure rules.
    public let stages: [Part]
    /// The top-level sections by name.
    public let sections: [String: SettingNode]

    /// Whether the worker shares the stream's entries with others of a group. `false` if the source could not be
    /// created.
    public let sharesEntries: Bool

    /// The types of the fields that stages with access to a store read or provide, by store.
    package let fieldTypes: [String: [String: FieldType]]

    /// Extracts the parts of a definition.
    init(
        _ definition: PipelineDefinition, catalogue: Catalogue, source: (any EventSource)?,
        fieldTypes: [String: [String: FieldType]] = [:]
    ) {
        self.fieldTypes = fieldTypes
        self.sharesEntries = source?.groupName != nil
        func part(_ component: PipelineDefinition.Component, _ name: LocatedName, _ keys: [ServerKey]?) -> Part {
            Part(
                name: name.text, type: component.type.text, settings: component.settings, position: name.position,
                keys: keys)
        }
        let source = definition.source.map { source in
            let type = catalogue.sources.first { $0.name == source.type.text }
            return part(source, source.type, type?.keys?(source.settings))
        }
        let streams = (source?.keys ?? []).compactMap { key -> String? in
            if case .source(let stream) = key.use { stream } else { nil }
        }
        self.source = source
        self.stores = definition.stores.map { store in
            let type = catalogue.stores.first { $0.name == store.component.type.text }
            return part(store.component, store.name, type?.keys?(store.component.settings, store.name.text))
        }
        self.stages = definition.components.map { stage in
            let type = catalogue.stages.first { $0.name == stage.type.text }
            return part(stage, stage.type, type?.keys(stage.settings, streams))
        }
        self.sections = definition.sections
    }

    /// Reads a section; `nil` if the file has none of that name or it cannot be read, which is reported elsewhere.
    public func section<Settings: Sendable>(_ name: String, _ type: SettingType<Settings>) -> Settings? {
        self.sections[name].flatMap { Self.decode($0, type) }
    }

    /// Reads settings; `nil` if they cannot be read, which is reported elsewhere.
    public static func decode<Settings: Sendable>(_ node: SettingNode, _ type: SettingType<Settings>) -> Settings? {
        type.decodeSilently(node)
    }
}
