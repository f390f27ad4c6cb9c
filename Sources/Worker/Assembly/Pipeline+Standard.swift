public import PipelineEngine

extension Pipeline {
    /// Reads and checks a pipeline file with everything that ships with Sluice, for a program that embeds it.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - environment: The values for `${NAME}` in the file, such as `ProcessInfo.processInfo.environment`.
    ///   - overrides: Overrides of values in the file.
    ///   - services: Logger, metrics, revocation handler and observer.
    /// - Throws: `ConfigurationError` with all errors in the file, or an error if the file cannot be read.
    public convenience init(
        contentsOf path: String, environment: [String: String], overrides: [Override] = [],
        services: PipelineServices
    ) throws {
        try self.init(
            contentsOf: path, environment: environment, overrides: overrides, catalogue: .standard, services: services)
    }
}
