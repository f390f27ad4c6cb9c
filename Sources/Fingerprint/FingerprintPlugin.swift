import Foundation
import PackagePlugin

/// Writes a fingerprint into ComponentKit when it is built: a digest of its sources and those of StageKit, of the packages
/// that their interfaces expose, and of the compiler.
///
/// A shared library with stage, source or store types fits a worker only if both were built against the same fingerprint: without
/// library evolution, layouts and tables are compiled into both sides.
@main
struct FingerprintPlugin: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let compiler = try context.tool(named: "swiftc").url
        let output = context.pluginWorkDirectoryURL.appending(path: "KitBuild.swift")
        // Sorted by path relative to the package, so that the order does not depend on the location of the package.
        let sources = ([target] + target.recursiveTargetDependencies)
            .compactMap { $0.sourceModule }.sorted { $0.name < $1.name }
            .flatMap { module in
                module.sourceFiles(withSuffix: "swift").map(\.url)
                    .filter { $0.path.hasPrefix(module.directoryURL.path) }.sorted { $0.path < $1.path }
            }
        return [
            .buildCommand(
                displayName: "Fingerprint of StageKit and ComponentKit", executable: URL(fileURLWithPath: "/bin/sh"),
                arguments: ["-c", Self.script, "sh", output.path, compiler.path] + sources.map(\.path),
                inputFiles: sources + [compiler], outputFiles: [output])
        ]
    }

    /// Arguments: the output file, the compiler, the sources. Uses only tools that every POSIX system and coreutils
    /// have.
    private static let script = #"""
        set -e
        output=$1 compiler=$2
        shift 2
        version=$("$compiler" --version 2>/dev/null | sed -n 's/^.*\(Swift version .*\)$/\1/p' | head -n 1)
        fingerprint=$({ printf '%s\n' "$version"; cat "$@"; } | sha256sum | cut -c 1-32)
        cat > "$output.new" <<END
        /// Identifies this build of StageKit and ComponentKit; written when it was built.
        public enum KitBuild {
            /// A digest of the sources that make up the interface, and of the compiler.
            public static let fingerprint = "$fingerprint"
            /// The compiler's own words for its version.
            public static let compiler = "$version"
        }

        /// Part of the module file, so that modules of different builds can be distinguished.
        public enum KitBuild_$fingerprint {}
        END
        mv "$output.new" "$output"
        """#
}
