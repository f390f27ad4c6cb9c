package import ComponentKit

/// The parts of a checkpoint file that the pipeline file must suit.
package struct SavedCheckpoint: Sendable, Equatable {
    /// The digest of the stores and of the stages that lead to them.
    package var definition: String
    /// The states of stages.
    package var stages: [SavedStage]

    /// Reads a file completely, without loading its records.
    ///
    /// - Throws: The reason why the file cannot be read; `CheckpointFailure` if it is not a checkpoint, or damaged.
    /// - Returns: `nil` if there is no file, if it is empty, or if it marks a discarded checkpoint.
    package static func read(_ path: String) throws -> SavedCheckpoint? {
        try CheckpointFile(path: path).read { read -> SavedCheckpoint? in
            var reader = try CheckpointReader(from: read)
            let header = try reader.header()
            guard header.definition != FileCheckpoint.discarded else { return nil }
            try reader.stagesAlone()
            return SavedCheckpoint(definition: header.definition, stages: reader.stages)
        } ?? nil
    }
}
