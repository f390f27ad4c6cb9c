/// A first-in, first-out queue that reuses its storage. The storage grows by doubling and never shrinks.
struct RingBuffer<Element> {
    private var slots: [Element?] = [nil, nil, nil, nil]
    private var head = 0
    /// The number of elements.
    private(set) var count = 0

    /// Creates an empty queue.
    init() {}

    /// Whether the queue is empty.
    var isEmpty: Bool { self.count == 0 }

    /// Appends an element.
    mutating func append(_ element: Element) {
        if self.count == self.slots.count { self.grow() }
        self.slots[(self.head + self.count) & (self.slots.count - 1)] = element
        self.count += 1
    }

    /// The first element, or `nil` if the queue is empty.
    var first: Element? { self.count > 0 ? self.slots[self.head] : nil }

    /// Removes and returns the first element, or returns `nil` if the queue is empty.
    mutating func popFirst() -> Element? {
        guard self.count > 0 else { return nil }
        let element = self.slots[self.head].take()
        self.head = (self.head + 1) & (self.slots.count - 1)
        self.count -= 1
        return element
    }

    /// Removes and returns all elements, in order.
    mutating func removeAll() -> [Element] {
        var elements: [Element] = []
        while let element = self.popFirst() { elements.append(element) }
        return elements
    }

    /// Returns the minimum of `value` over all elements, or `nil` if the queue is empty.
    func lowest<Value: Comparable>(by value: (Element) -> Value) -> Value? {
        var lowest: Value?
        for case let element? in self.slots {
            let next = value(element)
            if lowest.map({ next < $0 }) ?? true { lowest = next }
        }
        return lowest
    }

    /// Doubles the storage. Its size stays a power of two.
    private mutating func grow() {
        let ordered = (0..<self.count).map { self.slots[(self.head + $0) & (self.slots.count - 1)] }
        self.slots = ordered + Array(repeating: nil, count: self.slots.count)
        self.head = 0
    }
}
