/// A first-in-first-out line that uses its room again; it only grows, by doubling.
struct RingBuffer<Element> {
    private var slots: [Element?] = [nil, nil, nil, nil]
    private var head = 0
    /// The number of elements.
    private(set) var count = 0

    /// Makes an empty line.
    init() {}

    /// Whether there is no element.
    var isEmpty: Bool { self.count == 0 }

    /// Puts an element at the end.
    mutating func append(_ element: Element) {
        if self.count == self.slots.count { self.grow() }
        self.slots[(self.head + self.count) & (self.slots.count - 1)] = element
        self.count += 1
    }

    /// The first element, which stays.
    var first: Element? { self.count > 0 ? self.slots[self.head] : nil }

    /// Takes the first element out.
    mutating func popFirst() -> Element? {
        guard self.count > 0 else { return nil }
        let element = self.slots[self.head].take()
        self.head = (self.head + 1) & (self.slots.count - 1)
        self.count -= 1
        return element
    }

    /// Takes all elements out, in order.
    mutating func removeAll() -> [Element] {
        var elements: [Element] = []
        while let element = self.popFirst() { elements.append(element) }
        return elements
    }

    /// The lowest of a value of the elements; nil where there are none.
    func lowest<Value: Comparable>(by value: (Element) -> Value) -> Value? {
        var lowest: Value?
        for case let element? in self.slots {
            let next = value(element)
            if lowest.map({ next < $0 }) ?? true { lowest = next }
        }
        return lowest
    }

    /// Doubles the room, so that its size stays a power of two.
    private mutating func grow() {
        let ordered = (0..<self.count).map { self.slots[(self.head + $0) & (self.slots.count - 1)] }
        self.slots = ordered + Array(repeating: nil, count: self.slots.count)
        self.head = 0
    }
}
