import Foundation

/// Where a user's package gets Sluice from.
enum SluiceDependency: Equatable {
    /// A folder with Sluice's own package.
    case path(String)
    /// A Git repository, in this version or a later one that is compatible.
    case url(String, version: String)

    /// Reads `--sluice`; without it, the package that this executable was built in.
    ///
    /// - Parameters:
    ///   - given: A folder or a URL, nil for the default.
    ///   - version: This worker's version, the least that a URL has to have.
    ///   - executable: This program's file.
    init(_ given: String?, version: String, executable: URL) throws(InitFailure) {
        if let given, given.contains("://") || given.hasPrefix("git@") {
            guard !given.contains(where: { $0 == "\"" || $0 == "\\" || $0.isWhitespace }) else {
                throw InitFailure("--sluice \(given): is no URL")
            }
            self = .url(given, version: version)
            return
        }
        if let given {
            guard Self.isSluice(URL(fileURLWithPath: given)) else {
                throw InitFailure("--sluice \(given): there is no Sluice package in that folder")
            }
            self = .path(URL(fileURLWithPath: given).standardizedFileURL.path)
            return
        }
        // In a checkout the executable stands at .build/<machine>/<configuration>/sluice.
        var folder = executable.deletingLastPathComponent()
        while folder.path != "/" {
            if Self.isSluice(folder) {
                self = .path(folder.path)
                return
            }
            folder.deleteLastPathComponent()
        }
        throw InitFailure("name Sluice's sources with --sluice: a folder, or the URL of a Git repository")
    }

    private static func isSluice(_ folder: URL) -> Bool {
        let manifest = folder.appendingPathComponent("Package.swift")
        let text = try? String(contentsOf: manifest, encoding: .utf8)
        return text?.contains("name: \"sluice\"") == true
    }

    /// The name that a manifest has for the package: the last part of where it is.
    var package: String {
        let place =
            switch self {
            case .path(let path): path
            case .url(let url, _): url
            }
        let last = place.split { $0 == "/" || $0 == ":" }.last.map(String.init) ?? place
        return last.hasSuffix(".git") ? String(last.dropLast(4)) : last
    }

    /// The dependency as the manifest has it.
    var manifestText: String {
        switch self {
        case .path(let path): ".package(path: \"\(path)\")"
        case .url(let url, let version): ".package(url: \"\(url)\", from: \"\(version)\")"
        }
    }

    /// The versions of everything else that this Sluice was tested with, nil where that is not known.
    var resolved: Data? {
        guard case .path(let path) = self else { return nil }
        return try? Data(contentsOf: URL(fileURLWithPath: path).appendingPathComponent("Package.resolved"))
    }
}
