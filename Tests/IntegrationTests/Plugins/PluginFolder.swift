import ComponentKit
import Foundation
import Testing

/// A folder with the sources of a plugin, and what is made of them by the worker's own verb.
struct PluginFolder {
    /// The folder.
    let folder: URL

    /// Sources of two stages that use what both sides have to agree on: settings, fields, errors, a store's errors.
    static let mask = """
        import StageKit

        let plugin = [StageType(MaskStage.self), StageType(KeepStage.self)]

        /// Hides all but the first bytes of a field.
        final class MaskStage: Stage {
            struct Settings: Sendable {
                var field = LocatedName.unread
                var keep = 1
            }

            static let declaration = StageDeclaration(
                name: "mask", summary: "Hides all but the first bytes of a field.",
                settings: .object(SettingsSchema(Settings(), [
                    .required("field", \\.field, .name, "The field."),
                    .optional("keep", \\.keep, .integer(0...100), "Bytes left."),
                ])),
                example: "mask: { field: mail }", failureReason: "mask_failure")

            private let field: FieldID
            private let keep: Int

            init(_ settings: Settings, _ setup: StageSetup) {
                self.field = setup.input(settings.field)
                self.keep = settings.keep
            }

            func process(_ event: inout Event) throws -> Verdict {
                let bytes = event.withValue(of: self.field) { bytes -> [UInt8]? in
                    guard let bytes else { return nil }
                    return [UInt8](copying: bytes)
                }
                guard let bytes else { throw StageFailure("mask: nothing to mask", reason: "nothing_to_mask") }
                event.set(self.field, copying: bytes.prefix(self.keep) + Array("***".utf8))
                return .next
            }
        }

        /// Upserts, and tells a store's own error in its own words.
        final class KeepStage: Stage {
            static let declaration = StageDeclaration(
                name: "keep", summary: "Holds values in a store.",
                settings: SettingType<LocatedName>.object(SettingsSchema(LocatedName.unread, [
                    .required("store", \\.self, .name, "The store.")
                ])),
                example: "keep: { store: people }", failureReason: "keep_failure")

            private let writer: (any SnapshotWriter)?
            private let effect: EffectID

            init(_ settings: LocatedName, _ setup: StageSetup) {
                let store = setup.store(settings)
                let fields = ["id", "mail"].map { (name: $0, field: setup.output($0)) }
                self.writer = store?.makeWriter(key: fields[0].field, fields: fields)
                self.effect = setup.effect("keep")
            }

            func process(_ event: inout Event) throws -> Verdict {
                do {
                    _ = try self.writer?.upsert(event)
                } catch let error as StageFailure {
                    throw StageFailure("kept nothing: \\(error.message)")
                }
                event.record(self.effect)
                return .next
            }
        }

        """

    /// A stage of the name given.
    static func stage(called name: String) -> String {
        """
        import StageKit

        let plugin = [StageType(OtherStage.self)]

        final class OtherStage: Stage {
            static let declaration = StageDeclaration(
                name: "\(name)", summary: "Does nothing.", settings: SettingType<Bool>(shape: .boolean) { _, _ in true },
                example: "\(name): {}", failureReason: "none")
            init(_ settings: Bool, _ setup: StageSetup) {}
            func process(_ event: inout Event) throws -> Verdict { .next }
        }

        """
    }

    /// Builds the sources given below the folder; the library is `<name>.so` in the folder.
    @discardableResult
    func build(_ name: String, _ source: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> URL
    {
        let library = self.folder.appendingPathComponent("\(name).so")
        let ending = try await self.command(name, source, ["--output", library.path])
        #expect(ending.status == 0, "\(ending.errors)", sourceLocation: sourceLocation)
        #expect(ending.output == library.path + "\n", sourceLocation: sourceLocation)
        return library
    }

    /// Runs `plugin build` on a source in a folder of its own.
    func command(
        _ name: String, _ source: String, _ arguments: [String] = []
    ) async throws -> SluiceProcess.Ending {
        let sources = self.folder.appendingPathComponent("\(name)-sources/Sources/\(name)")
        try FileManager.default.createDirectory(at: sources, withIntermediateDirectories: true)
        try Data(source.utf8).write(to: sources.appendingPathComponent("Stage.swift"))
        let package = self.folder.appendingPathComponent("\(name)-sources").path
        return try await SluiceProcess(["plugin", "build", package] + arguments, in: self.folder).end()
    }

    /// A copy of a library with one text in it replaced by another of the same length.
    func copy(_ library: URL, to name: String, replacing old: String, by new: String) throws {
        try #require(old.utf8.count == new.utf8.count)
        let data = try Data(contentsOf: library)
        let changed = replacing(old, by: new, in: data)
        try #require(changed != data)
        try self.write(changed, to: name)
    }

    /// Writes a file that only its owner can write.
    func write(_ data: Data, to name: String, mode: Int = 0o644) throws {
        let file = self.folder.appendingPathComponent(name)
        try data.write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    }

    /// Runs `validate` in the folder on a pipeline that names these plugins.
    func validate(_ plugins: String, stage: String = "log: {}", _ arguments: [String] = []) async throws
        -> SluiceProcess.Ending
    {
        let text = """
            pipeline: p
            plugins: \(plugins)
            redis: { address: "unix:/nonexistent" }
            source: { redis_stream: { stream: s } }
            stages: [{ \(stage) }]

            """
        try Data(text.utf8).write(to: self.folder.appendingPathComponent("p.yaml"))
        return try await SluiceProcess(["validate", "p.yaml"] + arguments, in: self.folder).end()
    }
}

/// The bytes with every such text replaced by one of the same length.
func replacing(_ old: String, by new: String, in data: Data) -> Data {
    let (old, new) = (Data(old.utf8), Data(new.utf8))
    var data = data
    var start = data.startIndex
    while let found = data.range(of: old, in: start..<data.endIndex) {
        data.replaceSubrange(found, with: new)
        start = found.upperBound
    }
    return data
}

/// Lends a folder for plugins.
func withPluginFolder<R>(_ body: (PluginFolder) async throws -> R) async throws -> R {
    try await withFolder { folder in
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
        return try await body(PluginFolder(folder: folder.resolvingSymlinksInPath()))
    }
}
