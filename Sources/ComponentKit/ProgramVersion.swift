/// The version of this package.
///
/// `sluice --version` prints it; the packaging scripts read it from there. A layout test compares it with the changelog
/// and with the files that name a version.
package enum ProgramVersion {
    /// The version as a semantic version.
    package static let text = "0.1.0"
}
