import StageKit

/// The label values of one event as bytes that can be compared at once: for each label one byte of length, then the
/// value. The bytes are kept to use their memory again for the next event.
struct LabelKey {
    /// Bytes of a value; a longer one counts as `other`, so that keys stay small and a length fits in a byte.
    static let valueLimit = 128

    /// Where a label's value comes from.
    enum Label {
        /// The pipeline's name: always the same, so it is empty in keys.
        case component
        /// The reason the event failed for.
        case reason
        /// The stage the event failed in.
        case stage
        /// A field's value.
        case field(FieldID)
    }

    /// The key of the event that was read last.
    private(set) var bytes: [UInt8] = []
    private let labels: [Label]
    private let asksFailure: Bool

    /// Makes an empty key for these labels.
    init(labels: [Label]) {
        self.labels = labels
        self.asksFailure = labels.contains { label in
            switch label {
            case .reason, .stage: true
            case .component, .field: false
            }
        }
        self.bytes.reserveCapacity(labels.count * (LabelKey.valueLimit + 1))
    }

    /// Becomes the key of this event; what the event does not have is empty.
    mutating func read(_ event: borrowing Event) {
        let failure = self.asksFailure ? event.failure : nil
        self.bytes.removeAll(keepingCapacity: true)
        for label in self.labels {
            switch label {
            case .component: self.bytes.append(0)
            case .reason: self.append(failure?.reason ?? "")
            case .stage: self.append(failure?.stage ?? "")
            case .field(let field): self.append(event, field)
            }
        }
    }

    /// The values of a key, one for each label.
    static func values(of key: [UInt8]) -> [String] {
        var values: [String] = []
        var index = 0
        while index < key.count {
            let end = index + 1 + Int(key[index])
            values.append(String(decoding: key[(index + 1)..<end], as: UTF8.self))
            index = end
        }
        return values
    }

    private mutating func append(_ text: String) {
        let value = text.utf8
        if value.count > LabelKey.valueLimit { return self.append(LabelSets.other) }
        self.bytes.append(UInt8(value.count))
        self.bytes.append(contentsOf: value)
    }

    private mutating func append(_ event: borrowing Event, _ field: FieldID) {
        guard let range = event.range(of: field) else { return self.bytes.append(0) }
        if Int(range.length) > LabelKey.valueLimit { return self.append(LabelSets.other) }
        self.bytes.append(UInt8(range.length))
        // Read within this statement, while the event is lent to the stage.
        unsafe self.bytes.append(contentsOf: event.unsafeBytes(range))
    }
}
