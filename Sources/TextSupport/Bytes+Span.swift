extension [UInt8] {
    /// Copies the bytes of a span.
    public init(copying span: Span<UInt8>) {
        // The buffer pointer lets the bytes be copied as one block.
        self = unsafe span.withUnsafeBufferPointer { unsafe [UInt8]($0) }
    }
}
