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
        _ definition: PipelineDefinition, source: (any EventSource)?, fieldTypes: [String: [String: FieldType]] = [:]
    ) {
        self.fieldTypes = fieldTypes
        self.sharesEntries = source?.groupName != nil
        func part(_ component: PipelineDefinition.Component, _ name: LocatedName) -> Part {
            Part(name: name.text, type: component.type.text, settings: component.settings, position: name.position)
        }
        self.source = definition.source.map { part($0, $0.type) }
        self.stores = definition.stores.map { part($0.component, $0.name) }
        self.stages = definition.components.map { part($0, $0.type) }
        self.sections = definition.sections
    }

    /// Reads a section; `nil` if the file has none of that name or it cannot be read, which is reported elsewhere.
    public func section<Settings: Sendable>(_ name: String, _ type: SettingType<Settings>) -> Settings? {
        self.sections[name].flatMap { Self.decode($0, type) }
    }

    /// Reads settings; `nil` if they cannot be read, which is reported elsewhere.
    public static func decode<Settings: Sendable>(_ node: SettingNode, _ type: SettingType<Settings>) -> Settings? {
        var reportedElsewhere = SettingIssues()
        return type.decode(node, &reportedElsewhere)
    }
}
