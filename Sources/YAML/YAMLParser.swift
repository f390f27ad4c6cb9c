/// Reads a YAML document into a tree of nodes with positions.
///
/// Refuses everything that makes a configuration file hard to trust: duplicate keys, keys that are not scalars, merge
/// keys, custom tags, several documents, aliases that contain themselves, invisible characters. Thread-safe; calls
/// share nothing.
package enum YAMLParser {
    /// Returns the tree of the only document in `bytes`, UTF-8, or `nil` if there is no document or an empty one.
    package static func parse(
        _ bytes: [UInt8], limits: YAMLLimits = .default
    ) throws(YAMLError) -> YAMLNode? {
        guard bytes.count <= limits.documentBytes else {
            throw YAMLError(
                position: YAMLPosition(line: 1, column: 1),
                message: "the document has \(bytes.count) bytes, the limit is \(limits.documentBytes)")
        }
        let end = try YAMLText.check(bytes)
        // libyaml treats a null pointer, which an empty array may have, as a programming error.
        guard !bytes.isEmpty else { return nil }

        // libyaml keeps the pointer to its input, so the complete document is read inside this scope.
        return try unsafe bytes.withUnsafeBufferPointer { input throws(YAMLError) in
            var reader = try unsafe YAMLEventReader(input: input, end: end)
            var builder = YAMLTreeBuilder(limits: limits)
            // The loop ends: every event consumes input or closes an open collection, and the input is bounded.
            while let event = try reader.next() {
                try builder.take(event)
            }
            return builder.root
        }
    }

    /// Returns the tree of the only document in `text`, or `nil` if there is no document or an empty one.
    package static func parse(
        _ text: String, limits: YAMLLimits = .default
    ) throws(YAMLError) -> YAMLNode? {
        try self.parse(Array(text.utf8), limits: limits)
    }
}
