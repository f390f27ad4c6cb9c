import JSON
import RESP

/// Turns the value of a key into the fields of an entry. Pure.
enum KeyFields {
    /// Returns the fields, starting with the key's name, or `nil` if the value does not have the configured form.
    static func fields(
        of value: RESPValue, key: [UInt8], _ keys: KeyBootstrap
    ) -> [(name: [UInt8], value: [UInt8])]? {
        var fields: [(name: [UInt8], value: [UInt8])] = []
        if let name = keys.keyField {
            fields.append((Array(name.utf8), Array(key.dropFirst(self.literalPrefix(keys.match).count))))
        }
        switch keys.form {
        case .hash:
            guard let list = value.array, list.count % 2 == 0 else { return nil }
            for index in stride(from: 0, to: list.count, by: 2) {
                guard let name = list[index].bytes, let value = list[index + 1].bytes else { return nil }
                fields.append((name, value))
            }
        case .json:
            guard let bytes = value.bytes, let members = try? self.members(of: bytes.span) else { return nil }
            fields += members
        }
        return fields
    }

    /// Returns the members of a JSON object as the `decode` stage reads them: strings without escapes, `null` like a
    /// missing member, and any other value as written, including lists and objects. Of equal names, the last one wins.
    static func members(of bytes: Span<UInt8>) throws(JSONProblem) -> [(name: [UInt8], value: [UInt8])] {
        var scanner = JSONScanner()
        try scanner.begin(bytes)
        scanner.enterObject(bytes)
        // In order of first appearance; `nil` for null.
        var members: [(name: [UInt8], value: [UInt8]?)] = []
        var places: [[UInt8]: Int] = [:]
        var isFirst = true
        while let written = try scanner.nextMember(bytes, isFirst: isFirst) {
            isFirst = false
            var name: [UInt8] = []
            JSONString.unescape(bytes.extracting(written.range), into: &name)
            let value = try scanner.value(bytes, depth: 1)
            var text: [UInt8]?
            if value.kind != .null {
                var output: [UInt8] = []
                value.appendText(of: bytes, to: &output)
                text = output
            }
            if let place = places[name] {
                members[place].value = text
            } else {
                places[name] = members.count
                members.append((name, text))
            }
        }
        try scanner.end(bytes)
        return members.compactMap { member in member.value.map { (member.name, $0) } }
    }

    /// Returns the literal text that every key of a pattern begins with.
    static func literalPrefix(_ pattern: String) -> [UInt8] {
        Array(pattern.utf8.prefix { !"*?[\\".utf8.contains($0) })
    }
}
