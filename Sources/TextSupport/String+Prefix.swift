extension String {
    /// Returns the beginning of the text: at most this many bytes of UTF-8, cut between two Unicode scalars.
    package func prefix(bytes limit: Int) -> String {
        if self.utf8.count <= limit { return self }
        var bytes = 0
        let end = self.unicodeScalars.firstIndex { scalar in
            bytes += UTF8.width(scalar)
            return bytes > limit
        }
        return String(self.unicodeScalars[..<(end ?? self.endIndex)])
    }
}
