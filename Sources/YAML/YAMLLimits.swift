/// Limits of one document. A document is refused at the position where it first exceeds one of them.
package struct YAMLLimits: Sendable, Equatable {
    /// Bytes of a document. A file that people write by hand stays far below the default of 1 MiB.
    package var documentBytes = 1 << 20
    /// Nesting depth of sequences and mappings, including those behind aliases. The default is 64.
    ///
    /// It also protects recursive readers of the tree from stack overflow and bounds the time of libyaml, which grows
    /// with the square of the flow nesting. More than 1000 has no effect on versions of libyaml that stop there.
    package var depth = 64
    /// Maximum number of nodes of the tree, including keys; every alias counts as a copy of its node. The default is
    /// 100,000.
    package var nodes = 100_000
    /// Maximum number of aliases. The default of 64 is far more than a readable file has.
    package var aliases = 64
    /// UTF-8 bytes of one scalar. The default of 64 KiB leaves room for a certificate or a script.
    package var scalarBytes = 64 << 10
    /// Maximum number of UTF-8 bytes of all scalars; every alias counts as a copy of its node.
    ///
    /// The default is 4 MiB: aliases can repeat a long scalar as often as `nodes` allows, which becomes visible only
    /// when the tree is written out.
    package var textBytes = 4 << 20

    /// The limits for files written by hand.
    package static let `default` = YAMLLimits()

    /// Creates the default limits.
    package init() {}
}
