/// Where the bytes of a checkpoint are kept: as a whole or not at all, whatever happens meanwhile.
package protocol CheckpointPlace: Sendable {
    /// What an operator knows it as.
    var name: String { get }

    /// Lends what is kept to `body`, which asks for up to so many bytes and gets fewer only at the end; returns nil,
    /// without a call, where nothing is kept.
    func read<R>(_ body: (_ read: @escaping (Int) throws -> [UInt8]) throws -> R) throws -> R?

    /// Takes the pieces that `body` writes and, where all of them are safe, calls `decide`, which may have them kept in
    /// place of what was; whatever is thrown, or not kept, leaves what was.
    func replace(
        _ body: (_ write: @escaping ([UInt8]) throws -> Void) throws -> Void,
        keeping decide: (_ keep: () throws -> Void) throws -> Void
    ) throws

    /// Keeps these few bytes in place of what was, for good, also while `replace` is under way elsewhere.
    func put(_ bytes: [UInt8]) throws

    /// Takes away what is kept, for good; nothing there is fine.
    func remove() throws
}

/// A checkpoint's place in a local file.
struct CheckpointFile: CheckpointPlace {
    /// The file.
    let path: String

    /// The file.
    var name: String { self.path }

    /// Reads the file.
    func read<R>(_ body: (_ read: @escaping (Int) throws -> [UInt8]) throws -> R) throws -> R? {
        guard let file = try InputFile(self.path) else { return nil }
        let input = file.input
        return try body { try input.read($0) }
    }

    /// Writes another file beside it, and puts it in its place.
    func replace(
        _ body: (_ write: @escaping ([UInt8]) throws -> Void) throws -> Void,
        keeping decide: (_ keep: () throws -> Void) throws -> Void
    ) throws {
        var file = try AtomicFile(replacing: self.path)
        let output = file.output
        try body { try output.write($0) }
        try file.sync()
        try decide { try file.commit() }
    }

    /// Writes the bytes to a file of their own beside it, and puts that in its place.
    func put(_ bytes: [UInt8]) throws {
        var file = try AtomicFile(replacing: self.path, beside: ".mark")
        try file.output.write(bytes)
        try file.sync()
        try file.commit()
    }

    /// Removes the file.
    func remove() throws { try AtomicFile.remove(self.path) }
}
