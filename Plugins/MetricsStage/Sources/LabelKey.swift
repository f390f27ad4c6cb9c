import StageKit

/// The label values of one event as comparable bytes: for each label one byte of length, then the value.
///
/// The bytes are in plain memory with capacity for the longest key. It is allocated once, reused for each event and
/// freed with the key: an array would check its capacity and uniqueness for each value of each event. The first `count`
/// bytes are those of the event that was read last.
@safe
final class LabelKey {
    /// The maximum length of a value in bytes. A longer one counts as `other`, so that keys stay small and a length
    /// fits in one byte.
    static let valueLimit = 128

    /// The origin of a label's value.
    enum Label: BitwiseCopyable {
        /// The pipeline's name. It is constant, so it is empty in keys.
        case component
        /// The reason of the event's failure.
        case reason
        /// The stage that failed.
        case stage
        /// A field's value.
        case field(FieldID)
        /// The value of a secret field, represented by the same fixed text for all values.
        case secret
    }

    /// The longest key, in bytes.
    let capacity: Int
    private let labels: UnsafeMutableBufferPointer<Label>
    private let memory: UnsafeMutableBufferPointer<UInt8>
    private var count = 0
    private let asksFailure: Bool

    /// Creates an empty key for these labels.
    init(labels: [Label]) {
        self.asksFailure = labels.contains { label in
            switch label {
            case .reason, .stage: true
            case .component, .field, .secret: false
            }
        }
        self.capacity = labels.count * (LabelKey.valueLimit + 1)
        unsafe self.labels = .allocate(capacity: labels.count)
        _ = unsafe self.labels.initialize(from: labels)
        unsafe self.memory = .allocate(capacity: self.capacity)
        unsafe self.memory.initialize(repeating: 0)
    }

    deinit {
        unsafe self.labels.deallocate()
        unsafe self.memory.deallocate()
    }

    /// The key of the event that was read last. Valid until the next one is read.
    @unsafe
    var bytes: UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: self.memory.baseAddress, count: self.count)
    }

    /// Reads the key of an event; missing values are empty.
    func read(_ event: borrowing Event) {
        let failure = self.asksFailure ? event.failure : nil
        self.count = 0
        for index in unsafe self.labels.indices {
            switch unsafe self.labels[index] {
            case .component: self.append("")
            case .reason: self.append(failure?.reason ?? "")
            case .stage: self.append(failure?.stage ?? "")
            case .secret: self.append(FieldTable.placeholder)
            case .field(let field):
                if let range = event.range(of: field) {
                    event.withBytes(range) { self.append($0) }
                } else {
                    self.append("")
                }
            }
        }
    }

    /// Returns the values of a key, one for each label.
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

    private func append(_ text: String) {
        var text = text
        text.withUTF8 { unsafe self.append($0.span) }
    }

    /// Appends a value. There is room for as many values as there are labels.
    @inline(__always)
    private func append(_ value: Span<UInt8>) {
        if value.count > LabelKey.valueLimit { return self.append(LabelSets.other) }
        let start = self.count
        unsafe self.memory[start] = UInt8(truncatingIfNeeded: value.count)
        self.count = start &+ 1 &+ value.count
        unsafe value.withUnsafeBytes { value in
            guard let source = value.baseAddress, let base = unsafe self.memory.baseAddress else { return }
            unsafe (UnsafeMutableRawPointer(base) + start + 1).copyShort(from: source, count: value.count)
        }
    }
}
