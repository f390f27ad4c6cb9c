import ComponentKit
package import DeadLetterStage
package import PipelineEngine
import StageKit

extension DeadLetterStage {
    /// Returns the streams that a pipeline's stages and rules write dead-letter entries to, in the order of the file.
    package static func streams(of pipeline: Pipeline) -> [String] {
        var streams: [String] = []
        for node in pipeline.settings(ofStages: self.declaration.name) {
            var issues = SettingIssues()
            let settings = self.declaration.settings.decode(node, &issues)
            let stream = settings?.stream ?? DeadLetter.defaultStream(of: pipeline.source.stream)
            if !streams.contains(stream) { streams.append(stream) }
        }
        return streams
    }
}
