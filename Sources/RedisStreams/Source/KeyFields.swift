import RESP

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Turns what a key holds into the fields of an entry. Pure.
enum KeyFields {
    /// The fields, the one of the key's name first; nil where the value is not of the form it should have.
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
            guard let bytes = value.bytes,
                let object = try? JSONDecoder().decode([String: JSONText].self, from: Data(bytes))
            else { return nil }
            for (name, value) in object.sorted(by: { $0.key < $1.key }) {
                if let text = value.text { fields.append((Array(name.utf8), Array(text.utf8))) }
            }
        }
        return fields
    }

    /// What every key of a pattern begins with.
    static func literalPrefix(_ pattern: String) -> [UInt8] {
        Array(pattern.utf8.prefix { !"*?[\\".utf8.contains($0) })
    }
}

/// A JSON value that is not a list or an object, as text; nil for null.
private struct JSONText: Decodable {
    let text: String?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self.text = nil
        } else if let text = try? container.decode(String.self) {
            self.text = text
        } else if let truth = try? container.decode(Bool.self) {
            self.text = truth ? "true" : "false"
        } else if let integer = try? container.decode(Int64.self) {
            self.text = String(integer)
        } else {
            self.text = String(try container.decode(Double.self))
        }
    }
}
