public import StageKit

/// Moves values from fields to fields with other names.
public final class RenameStage: Stage {
    /// The settings under `rename`.
    public struct Settings: Sendable {
        /// Old names with their new names.
        public var names: [NamedSetting<LocatedName>]

        /// The settings' names and types in the file.
        static let type = SettingType<[NamedSetting<LocatedName>]>.map(of: .name, minimum: 1).map {
            Settings(names: $0)
        }
    }

    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "rename",
        summary: "Moves the values of fields to fields with other names.",
        settings: Settings.type,
        example: """
            rename:
              status: order_status
              region: sales_region
            """,
        failureReason: "rename_failure",
        isPure: true)

    /// The old and the new field of a value.
    private struct Move: BitwiseCopyable {
        var source: FieldID
        var target: FieldID
    }

    private let moves: [Move]

    /// Creates the stage; it reads the old fields and provides the new ones.
    public init(_ settings: Settings, _ setup: StageSetup) {
        let old = Set(settings.names.map(\.name))
        var new: Set<String> = []
        self.moves = settings.names.map { name in
            let target = name.value
            if old.contains(target.text) {
                setup.issues.add(
                    "\(name.name): \"\(target.text)\" is itself renamed by this stage: use another rename stage, or "
                        + "another name",
                    at: target.position)
            } else if !new.insert(target.text).inserted {
                setup.issues.add(
                    "\(name.name): another field is also renamed to \"\(target.text)\"", at: target.position)
            }
            return Move(
                source: setup.input(LocatedName(name.name, at: name.position)),
                target: setup.output(
                    target.text, isSecret: setup.isSecret(name.name), type: setup.type(of: name.name)))
        }
    }

    /// Moves the values; if the old field has no value, the new field has none afterwards.
    public func process(_ event: inout Event) throws -> Verdict {
        for index in self.moves.indices {
            let move = self.moves[index]
            event.copy(move.source, to: move.target)
            event.remove(move.source)
        }
        return .next
    }
}
