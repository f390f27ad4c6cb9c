/// The version of the program.
package enum ProgramVersion {
    /// The version as a semantic version.
    package static let text = "0.1.0"
}
