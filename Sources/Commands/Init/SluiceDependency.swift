import Foundation

/// The origin of Sluice for a user's package.
enum SluiceDependency: Equatable {
    /// A directory with Sluice's own package.
    case path(String)
    /// A Git repository, in this version or a later compatible one.
    case url(String, version: String)

    /// Parses `--sluice`; without it, uses the package that this executable was built in.
    ///
    /// - Parameters:
    ///   - given: A directory or a URL, or `nil` for the default.
    ///   - version: This worker's version, the minimum version for a URL.
    ///   - executable: This program's file.
    init(_ given: String?, version: String, executable: URL) throws(InitFailure) {
        if let given, given.contains("://") || given.hasPrefix("git@") {
            guard !given.contains(where: { $0 == "\"" || $0 == "\\" || $0.isWhitespace }) else {
                throw InitFailure("--sluice \(given): not a URL")
            }
            self = .url(given, version: version)
            return
        }
        if let given {
            guard Self.isSluice(URL(fileURLWithPath: given)) else {
                throw InitFailure("--sluice \(given): there is no Sluice package in this directory")
            }
            self = .path(URL(fileURLWithPath: given).standardizedFileURL.path)
            return
        }
        // In a checkout the executable is .build/<machine>/<configuration>/sluice.
        var folder = executable.deletingLastPathComponent()
        while folder.path != "/" {
            if Self.isSluice(folder) {
                self = .path(folder.path)
                return
            }
            folder.deleteLastPathComponent()
        }
        throw InitFailure("give the sources of Sluice with --sluice: a directory, or the URL of a Git repository")
    }

    private static func isSluice(_ folder: URL) -> Bool {
        let manifest = folder.appendingPathComponent("Package.swift")
        let text = try? String(contentsOf: manifest, encoding: .utf8)
        return text?.contains("name: \"sluice\"") == true
    }

    /// The package's name in a manifest: the last part of its location.
    var package: String {
        let place =
            switch self {
            case .path(let path): path
            case .url(let url, _): url
            }
        let last = place.split { $0 == "/" || $0 == ":" }.last.map(String.init) ?? place
        return last.hasSuffix(".git") ? String(last.dropLast(4)) : last
    }

    /// The dependency in the form of a manifest.
    var manifestText: String {
        switch self {
        case .path(let path): ".package(path: \"\(path)\")"
        case .url(let url, let version): ".package(url: \"\(url)\", from: \"\(version)\")"
        }
    }

    /// The versions of all dependencies that this Sluice was tested with, or `nil` if unknown.
    var resolved: Data? {
        guard case .path(let path) = self else { return nil }
        return try? Data(contentsOf: URL(fileURLWithPath: path).appendingPathComponent("Package.resolved"))
    }
}
