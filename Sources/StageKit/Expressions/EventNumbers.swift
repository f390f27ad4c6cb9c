import CEL

/// The numbers of an event for the fast path of expressions. Unlike `EventVariables`, it holds nothing that is counted.
struct EventNumbers: ~Copyable, NumberSource {
    private let event: Event

    /// Borrows an event; the numbers must not be used after the call that borrows it.
    init(_ event: borrowing Event) { self.event = unsafe Event(storage: event.storage, index: event.index) }

    /// The number of a field.
    func number(of variable: Int) -> Int64? {
        variable >= 0 ? self.event.integer(of: FieldID(index: variable)) : nil
    }

    /// The number of a field that is a double.
    func real(of variable: Int) -> Double? {
        variable >= 0 ? self.event.double(of: FieldID(index: variable)) : nil
    }

    /// Whether the event has a field.
    func hasValue(of variable: Int) -> Bool? {
        variable >= 0 ? self.event.range(of: FieldID(index: variable)) != nil : nil
    }
}
