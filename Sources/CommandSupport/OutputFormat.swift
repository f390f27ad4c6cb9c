import ArgumentParser

/// The output format of a command.
package enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    /// Text for people.
    case text
    /// One JSON document.
    case json
}
