import StageKit

/// The label values of one event as bytes that can be compared at once: for each label one byte of length, then the
/// value.
///
/// The bytes lie in plain memory with room for the longest key, made once, used again for each event and freed with the
/// key: they are written for every event, where an array would be checked for room and for being unique at each value.
/// The first `count` bytes are those of the event read last.
@safe
final class LabelKey {
    /// Bytes of a value; a longer one counts as `other`, so that keys stay small and a length fits in a byte.
    static let valueLimit = 128

    /// Where a label's value comes from.
    enum Label: BitwiseCopyable {
        /// The pipeline's name: always the same, so it is empty in keys.
        case component
        /// The reason the event failed for.
        case reason
        /// The stage the event failed in.
        case stage
        /// A field's value.
        case field(FieldID)
    }

    /// The longest key, in bytes.
    let capacity: Int
    private let labels: UnsafeMutableBufferPointer<Label>
    private let memory: UnsafeMutableBufferPointer<UInt8>
    private var count = 0
    private let asksFailure: Bool

    /// Makes an empty key for these labels.
    init(labels: [Label]) {
        self.asksFailure = labels.contains { label in
            switch label {
            case .reason, .stage: true
            case .component, .field: false
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

    /// The key of the event that was read last; valid until the next one is read.
    @unsafe
    var bytes: UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: self.memory.baseAddress, count: self.count)
    }

    /// Becomes the key of this event; what the event does not have is empty.
    func read(_ event: borrowing Event) {
        let failure = self.asksFailure ? event.failure : nil
        self.count = 0
        for index in unsafe self.labels.indices {
            switch unsafe self.labels[index] {
            case .component: self.append("")
            case .reason: self.append(failure?.reason ?? "")
            case .stage: self.append(failure?.stage ?? "")
            case .field(let field):
                if let range = event.range(of: field) {
                    event.withBytes(range) { self.append($0) }
                } else {
                    self.append("")
                }
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

    private func append(_ text: String) {
        var text = text
        text.withUTF8 { unsafe self.append($0.span) }
    }

    /// Appends a value; there is room for as many as there are labels.
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
