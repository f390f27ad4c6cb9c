import Foundation
import Testing

/// A Swift file of the project.
struct ProjectSource: CustomTestStringConvertible, Sendable {
    /// The path below the root.
    let path: String
    /// The whole text.
    let text: String
    /// The lines of the text.
    let lines: [String]

    var testDescription: String { self.path }

    /// The root of the package, from this file's position in it.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// All Swift files, read once for all tests.
    private static let all = Result { try ["Sources", "Plugins", "Tests"].flatMap(files) }

    /// Returns the Swift files in directories, given by their paths below the root.
    static func files(below folders: [String]) throws -> [ProjectSource] {
        let prefixes = folders.map { $0 + "/" }
        return try self.all.get().filter { source in prefixes.contains { source.path.hasPrefix($0) } }
    }

    private static func files(in folder: String) throws -> [ProjectSource] {
        let base = self.root.appendingPathComponent(folder)
        let files = try #require(FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil))
        var found: [ProjectSource] = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            let path = String(file.path.dropFirst(self.root.path.count + 1))
            found.append(ProjectSource(path: path, text: text, lines: text.fastLines))
        }
        return found
    }
}

// In debug builds, functions of C search text a hundred times faster than those of `String`.
extension String {
    /// The parts between line feeds.
    fileprivate var fastLines: [String] {
        var text = self
        return text.withUTF8 { bytes in
            guard let start = bytes.baseAddress else { return [""] }
            var lines: [String] = []
            var next = 0
            while let end = memchr(start + next, Int32(UInt8(ascii: "\n")), bytes.count - next) {
                let length = UnsafeRawPointer(end) - UnsafeRawPointer(start + next)
                lines.append(String(decoding: UnsafeBufferPointer(start: start + next, count: length), as: UTF8.self))
                next += length + 1
            }
            let rest = UnsafeBufferPointer(start: start + next, count: bytes.count - next)
            return lines + [String(decoding: rest, as: UTF8.self)]
        }
    }

    /// Returns whether the text contains another one.
    func has(_ other: String) -> Bool { strstr(self, other) != nil }
}
