import Checkpoints
import ComponentKit
import Foundation
import LocalFiles
import PipelineEngine

/// Checks the checkpoint's file and directory; writes nothing there.
enum CheckpointCheck {
    /// Returns the step that reports whether a checkpoint can be read and written. Without a checkpoint the worker
    /// runs, but cannot resume.
    static func step(_ settings: CheckpointSettings, _ pipeline: Pipeline) -> CheckStep {
        let name = "checkpoint"
        let files = FileManager.default
        let path: String
        do throws(SystemFailure) {
            path = try FileLinks.resolve(settings.path)
        } catch {
            return CheckStep(
                name, .warning, "\(error): no checkpoint is written", advice: "remove it, or change checkpoint.path")
        }
        let url = URL(fileURLWithPath: path)
        let folder = url.deletingLastPathComponent().path
        func warning(_ finding: String, _ advice: String) -> CheckStep {
            CheckStep(name, .warning, finding, advice: advice)
        }
        guard let kind = FileStatus(of: folder)?.kind else {
            return warning("there is no directory \(folder): no checkpoint is written", "mkdir -p \(folder)")
        }
        guard kind == .directory || kind == .symbolicLink, files.isWritableFile(atPath: folder) else {
            return warning(
                "this user cannot write to the directory \(folder): no checkpoint is written",
                "give the worker's user write permission, or change checkpoint.path")
        }
        if let held = FileLock.holder(of: path) {
            let loss = self.loss(of: path, pipeline).map { "; \($0)" } ?? ""
            return warning(
                "\(settings.path) is in use by \(held.pid.map { "process \($0)" } ?? "another process"): "
                    + "a second worker with this path is refused\(loss)",
                "nothing if that is this worker; otherwise give each worker its own checkpoint.path")
        }
        guard let file = FileStatus(of: path) else {
            return CheckStep(name, .good, "\(settings.path): none yet")
        }
        guard file.kind == .regular, files.isReadableFile(atPath: path) else {
            return warning(
                "this user cannot read the file \(settings.path): it is treated as a lost checkpoint and not replaced",
                "change checkpoint.path")
        }
        do throws(SystemFailure) {
            _ = try InputFile(trusted: path)
        } catch {
            return warning("\(error): it is treated as a lost checkpoint", "remove it, or change checkpoint.path")
        }
        if file.size == 0 {
            return warning("\(settings.path) is empty: treated as missing", "nothing: the next checkpoint replaces it")
        }
        guard let loss = self.loss(of: path, pipeline) else {
            return CheckStep(name, .good, "\(settings.path): \(file.size) bytes")
        }
        return warning("\(settings.path): \(loss)", "restore the previous settings if that is not intended")
    }

    /// Returns what a start with this file would discard of a checkpoint, or `nil` if nothing.
    private static func loss(of path: String, _ pipeline: Pipeline) -> String? {
        do {
            guard let saved = try SavedCheckpoint.read(path) else { return nil }
            let loss = try pipeline.loss(ofCheckpoint: saved.definition, saved.stages)
            let stores =
                loss.ofStores
                ? ["the stores, or the stages that lead to them, have changed: the next start fills the stores again"]
                : []
            let stages = loss.ofStages.map {
                "the next start discards the state of the stage \($0.stage): \($0.reason)"
            }
            return stores.isEmpty && stages.isEmpty ? nil : (stores + stages).joined(separator: "; ")
        } catch {
            return "it cannot be used: \(error)"
        }
    }
}
