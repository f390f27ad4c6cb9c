import JSON
import TextSupport

/// Appends JSON to bytes piece by piece: members in the order written, integers exactly, on one line.
public enum JSONText {
    /// Appends a string in quotes.
    ///
    /// Escapes `"`, `\`, control characters, line separators and characters that change the direction of text; everything
    /// else is written as it is.
    public static func append(_ text: String, to bytes: inout [UInt8]) {
        JSONString.append(text, to: &bytes)
    }

    /// Appends `"name":` and the text, or `"name_b64":` and base64 if the bytes are not UTF-8.
    public static func appendMember(_ name: String, _ value: [UInt8], to bytes: inout [UInt8]) {
        guard self.isUTF8(value) else {
            self.append("\(name)_b64", to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            self.append(Base64.encode(value.span), to: &bytes)
            return
        }
        self.append(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        JSONString.append(value.span, to: &bytes)
    }

    /// Appends `"name":` and a string.
    public static func appendMember(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        self.append(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        self.append(value, to: &bytes)
    }

    /// Appends a list of strings.
    public static func append(_ texts: [String], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "["))
        for (index, text) in texts.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            self.append(text, to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private static func isUTF8(_ bytes: [UInt8]) -> Bool {
        (try? UTF8Span(validating: bytes.span)) != nil
    }
}
