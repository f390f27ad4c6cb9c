import StageKit

extension ReplayScript.Result {
    /// Returns the result as a word for programs and as text for people.
    ///
    /// - Parameters:
    ///   - entry: The id of the dead-letter entry.
    ///   - stream: The original's stream, escaped for a terminal.
    func words(for entry: EntryID, _ stream: String) -> (word: String, text: String) {
        switch self {
        case .added(let id): ("added", "added to \(stream) as \(id)")
        case .playedBefore:
            ("played_before", "not replayed: the original was replayed before; the dead-letter entry is removed")
        case .gone: ("gone", "no such dead-letter entry: it was replayed or removed")
        case .unfit: ("unfit", "not a dead-letter entry that can be replayed")
        case .foreign: ("foreign_stream", "not replayed: this pipeline does not read the stream \(stream)")
        case .newer:
            ("newer", "not replayed: its original's id is above the ids of \(stream), which was recreated")
        case .tooLarge:
            (
                "too_large",
                "not replayed: its original has more than \(ReplayScript.fieldLimit) fields, the limit of one command "
                    + "in a script"
            )
        case .addedByWorker:
            (
                "added_by_worker",
                "not replayed: the worker added this event (for a window of aggregate, or a key of a bootstrap), so it "
                    + "is not an entry of \(stream): send the fields that `sluice dlq show \(entry)` prints to where they "
                    + "belong, then remove it with `sluice dlq purge \(entry)`"
            )
        case .incomplete:
            (
                "incomplete",
                "not replayed: a value of the original was too large to be read and is missing: add a smaller entry to "
                    + "\(stream), then remove this one with `sluice dlq purge \(entry)`"
            )
        case .element(let id):
            (
                "element",
                "not replayed: it is the element \(DeadLetterText.shown(Array(id.utf8))) of its original, and a replay "
                    + "processes all elements of the original again: permit that with --whole-entry"
            )
        case .refused(let error): ("refused", "not replayed: \(error)")
        }
    }
}
