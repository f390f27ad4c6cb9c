import ArgumentParser
import Foundation
package import Logging
import PipelineEngine

/// Turns the errors of commands into a message and an exit status.
package enum CommandErrors {
    /// Runs `body`. A configuration error is printed line by line and ends with status 78, any other error with status
    /// 1.
    package static func reported(logger: Logger? = nil, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as ConfigurationError {
            for line in error.lines { Terminal.report(line) }
            throw ExitStatus.configuration
        } catch let error as PipelineFile.Unreadable {
            Terminal.report(error.description)
            throw ExitStatus.configuration
        } catch let error as ExitCode {
            throw error
        } catch let error as ValidationError {
            throw error
        } catch let error as CocoaError where logger == nil {
            let path = error.filePath
            Terminal.report("sluice: \(path.map { "\($0): " } ?? "")\(error.localizedDescription)")
            throw ExitStatus.failure
        } catch {
            if let logger {
                logger.critical("stopped by an error", metadata: ["error": "\(error)"])
            } else {
                Terminal.report("sluice: \(error)")
            }
            throw ExitStatus.failure
        }
    }
}
