import Foundation
import SnapshotStores

/// Looks at the place of the checkpoint; writes nothing there.
enum CheckpointCheck {
    /// The step that tells whether a checkpoint can be read and written: without one the worker runs, and cannot resume.
    static func step(_ settings: CheckpointSettings) -> CheckStep {
        let name = "checkpoint"
        let files = FileManager.default
        let url = URL(fileURLWithPath: settings.path)
        let folder = url.deletingLastPathComponent().path
        func warning(_ finding: String, _ advice: String) -> CheckStep {
            CheckStep(name, .warning, finding, advice: advice)
        }
        guard let type = try? files.attributesOfItem(atPath: folder)[.type] as? FileAttributeType else {
            return warning("there is no folder \(folder): no checkpoint is written", "mkdir -p \(folder)")
        }
        guard type == .typeDirectory || type == .typeSymbolicLink, files.isWritableFile(atPath: folder) else {
            return warning(
                "\(folder) is no folder that this user may write in: no checkpoint is written",
                "give the worker's user the folder, or change checkpoint.path")
        }
        guard let file = try? files.attributesOfItem(atPath: settings.path) else {
            return CheckStep(name, .good, "\(settings.path): none yet")
        }
        guard file[.type] as? FileAttributeType == .typeRegular, files.isReadableFile(atPath: settings.path) else {
            return warning(
                "\(settings.path) is no file that this user may read: it is taken for a lost checkpoint, and not replaced",
                "change checkpoint.path")
        }
        return CheckStep(name, .good, "\(settings.path): \(file[.size] as? Int ?? 0) bytes")
    }
}
