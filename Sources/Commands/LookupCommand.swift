import ArgumentParser
import CommandSupport
import NIOCore
import NIOHTTP1

/// `sluice lookup`: prints the snapshot of a key in a running worker, or the snapshots with a value in an indexed field.
struct LookupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lookup", abstract: "Print the snapshot that a running worker holds under a key, as JSON.",
        discussion: """
            With --index FIELD=VALUE instead of a key, prints the snapshots with this value in an indexed field of the \
            store, one line each. Exit status 1 if there is no snapshot.
            """)

    @Argument(help: "The key.")
    var key: String?

    @Option(
        help: ArgumentHelp(
            "Indexed field and its value, to print all snapshots with that value.", valueName: "field=value"))
    var index: String?

    @Option(help: "Maximum number of snapshots with --index.")
    var limit: Int?

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        if self.key?.isEmpty == true { throw ValidationError("the key is empty: no snapshot has such a key") }
        if self.key == nil, self.index == nil {
            throw ValidationError("Missing expected argument '<key>', or --index FIELD=VALUE")
        }
        if self.key != nil, self.index != nil { throw ValidationError("give either a key or --index") }
        if self.limit != nil, self.index == nil { throw ValidationError("--limit needs --index") }
        if let index, IndexedValue(index) == nil {
            throw ValidationError("--index: expected FIELD=VALUE, found \"\(index)\"")
        }
    }

    func run() async throws {
        try await CommandErrors.reported {
            let client = try self.admin.worker.client()
            let store = try await self.admin.storeName(client)
            if let value = self.index.flatMap({ IndexedValue($0) }) {
                return try await value.write(from: store, limit: self.limit, client)
            }
            let path = "/v1/stores/\(AdminClient.encoded(store))/\(AdminClient.encoded(self.key ?? ""))"
            let (status, answer) = try await client.answer(path)
            guard status == 200 else { throw AdminClient.Failure(description: AdminClient.refusal(answer)) }
            try Terminal.result(AdminClient.line(answer))
        }
    }
}

/// `sluice export`: prints all snapshots in a store of a running worker.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Print all snapshots in a store of a running worker, one JSON line each.")

    /// The header with the number of snapshots when the export began.
    private static let countHeader = "X-Sluice-Snapshots"

    @OptionGroup var admin: AdminOptions

    func run() async throws {
        try await CommandErrors.reported {
            let client = try self.admin.worker.client()
            let store = try await self.admin.storeName(client)
            var error = ByteBuffer()
            var snapshots = 0
            var progress = CommandProgress("exported", unit: "snapshots")
            defer { progress.end() }
            let path = "/v1/export/\(AdminClient.encoded(store))"
            let begin = { (headers: HTTPHeaders) in
                let total = headers.first(name: Self.countHeader).flatMap { Int($0) }
                progress = CommandProgress("exported", unit: "snapshots", total: total)
            }
            let status = try await client.get(path, head: begin) { status, piece in
                if status == 200 {
                    snapshots += piece.readableBytesView.count { $0 == UInt8(ascii: "\n") }
                    progress.update(snapshots)
                    guard Terminal.write(Array(buffer: piece)) else { throw ExitStatus.failure }
                } else if error.readableBytes < AdminClient.answerLimit {
                    error.writeImmutableBuffer(piece)
                }
            }
            if status != 200 { throw AdminClient.Failure(description: AdminClient.refusal(error)) }
        }
    }
}
