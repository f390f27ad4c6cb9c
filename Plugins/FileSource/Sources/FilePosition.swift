/// A place in a file: which file, behind which byte and behind which line. Pure.
struct FilePosition: Sendable, Equatable {
    /// The file, or `nil` if it has no identity.
    var file: FileInput.Identity?
    /// The number of bytes before the place.
    var offset: UInt64 = 0
    /// The number of lines before the place, in all files that were read under the path.
    var line: UInt64 = 0

    /// The form in a checkpoint: `device:inode:offset:line`.
    var text: String {
        "\(self.file?.device ?? 0):\(self.file?.inode ?? 0):\(self.offset):\(self.line)"
    }

    /// Creates the beginning of a file.
    init(_ file: FileInput.Identity?, line: UInt64 = 0) {
        self.file = file
        self.line = line
    }

    /// Reads the form in a checkpoint; returns `nil` if it is another one.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt64($0) }
        guard parts.count == 4, let device = parts[0], let inode = parts[1], let offset = parts[2], let line = parts[3]
        else { return nil }
        self.file = FileInput.Identity(device: device, inode: inode)
        self.offset = offset
        self.line = line
    }
}
