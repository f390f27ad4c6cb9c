import CHiredis

/// Collects the values of the reply that is being read, from hiredis's callbacks.
///
/// Lifetime: `RESPReader` owns one, in a heap cell whose address never changes, because hiredis keeps that address as
/// the privdata of each task. The cell is created before the hiredis reader and freed after it. Callbacks run only
/// inside `redisReaderGetReply`, on its caller's thread, never nested, and nothing else accesses the cell meanwhile, so
/// plain access through the pointer is exclusive.
@safe
struct ReplyBuilder: ~Copyable {
    /// The reason why a callback refused a value; hiredis itself only reports "Out of memory" in that case.
    enum Refusal {
        /// A length or number exceeded the limit of this name.
        case limit(RESPLimits.Name, found: Int)
        /// The two bytes after a value were not CR LF.
        case unterminated
        /// A RESP3 attribute: hiredis passes it like a value of its own, so all values after it would be misplaced.
        case attribute
        /// The system has no memory.
        case memory
    }

    /// The values so far.
    var tokens = TokenBuffer()
    /// The bytes of the values so far.
    var arena = RESPArena()
    /// The number of values announced so far: the root, and the elements of each aggregate; never less than
    /// `tokens.count`.
    var announced = 1
    /// Why the last value was refused, or `nil`.
    var refusal: Refusal?
    /// How to handle a byte string that is longer than the limits allow.
    var longValues = RESPReader.LongValues.refuse
    /// The length of a byte string that the reader has replaced with a null in its input; `nil` if the next null is a
    /// real one.
    var replaced: Int?
    /// Whether a byte string was left out of the reply.
    private(set) var hasLongValues = false
    /// The limits in force.
    let limits: RESPLimits
    /// The start of the reply's input while it is read in place: the arena already contains its bytes as received, and
    /// the callbacks only record the position of each value. `nil` while values are copied one by one.
    private var input: UnsafeRawPointer?
    /// The number of the arena's bytes that belong to the input.
    private var inputCount = 0
    /// The calling reader, for its nesting depth; set once, immediately after the reader is created.
    var reader: UnsafeMutablePointer<redisReader>?

    /// Creates an empty builder.
    init(limits: RESPLimits) {
        self.limits = limits
    }

    /// Prepares for the next reply.
    mutating func startReply() {
        self.announced = 1
        self.refusal = nil
        self.hasLongValues = false
        unsafe self.input = nil
    }

    /// Copies the whole input of the reply that is about to be read into the arena. Returns `false` if there is no
    /// memory for it or it exceeds the size of a reply; its values are then copied, and refused, one by one.
    ///
    /// `input` must not move or change until `startReply` is called: hiredis moves its buffer only when it is fed and
    /// after it has read a reply.
    @unsafe
    mutating func readInPlace(_ input: UnsafeRawBufferPointer) -> Bool {
        guard let base = input.baseAddress, input.count <= self.limits.replyBytes, self.tokens.count == 0,
            self.arena.count == 0, unsafe self.arena.append(base, length: input.count)
        else { return false }
        unsafe self.input = base
        self.inputCount = input.count
        return true
    }

    /// The callbacks, for a reader whose privdata is a builder's cell.
    ///
    /// They are literals because their parameter types differ between hiredis 0.14 and 1.x.
    ///
    /// Each returns a non-null pointer, which hiredis only compares with null, or null, which makes the reader fail.
    /// There is no `freeObject`, because no value owns anything.
    static func makeFunctions() -> redisReplyObjectFunctions {
        var functions = redisReplyObjectFunctions()
        unsafe functions.createString = { task, text, length in
            guard let task = unsafe task, let text = unsafe text, let cell = unsafe ReplyBuilder.cell(task) else {
                return nil
            }
            if unsafe task.pointee.type == REDIS_REPLY_STRING && cell.pointee.note(text, length) {
                return UnsafeMutableRawPointer(cell)
            }
            return unsafe ReplyBuilder.takeString(task, text, length, cell)
        }
        unsafe functions.createArray = { task, elements in
            guard let task = unsafe task, let cell = unsafe ReplyBuilder.cell(task) else { return nil }
            let done = unsafe cell.pointee.aggregate(task.pointee.type, Int(elements))
            return done ? UnsafeMutableRawPointer(cell) : nil
        }
        unsafe functions.createInteger = { task, value in
            guard let task = unsafe task, let cell = unsafe ReplyBuilder.cell(task) else { return nil }
            return unsafe cell.pointee.text(.integer, String(value)) ? UnsafeMutableRawPointer(cell) : nil
        }
        unsafe functions.createNil = { task in
            guard let task = unsafe task, let cell = unsafe ReplyBuilder.cell(task) else { return nil }
            return unsafe cell.pointee.null() ? UnsafeMutableRawPointer(cell) : nil
        }
        unsafe sluiceSetRESP3Functions(
            &functions,
            { task, _, text, length in
                guard let task = unsafe task, let text = unsafe text, let cell = unsafe ReplyBuilder.cell(task) else {
                    return nil
                }
                return unsafe cell.pointee.bytes(.double, text, length) ? UnsafeMutableRawPointer(cell) : nil
            },
            { task, value in
                guard let task = unsafe task, let cell = unsafe ReplyBuilder.cell(task) else { return nil }
                return unsafe cell.pointee.text(.boolean, value == 0 ? "f" : "t") ? UnsafeMutableRawPointer(cell) : nil
            })
        return functions
    }

    /// Returns the builder's cell of a task.
    @inline(__always)
    private static func cell(_ task: UnsafePointer<redisReadTask>) -> UnsafeMutablePointer<ReplyBuilder>? {
        unsafe task.pointee.privdata?.assumingMemoryBound(to: ReplyBuilder.self)
    }

    /// Records a byte string that is already in the arena, as for nearly all of the traffic. Returns `false` and
    /// changes nothing if anything about it is unusual.
    @inline(__always)
    private mutating func note(_ text: UnsafeMutablePointer<CChar>, _ length: Int) -> Bool {
        guard let input = unsafe self.input else { return false }
        let offset = unsafe UnsafeRawPointer(text) - input
        // The guard ensures that CR LF, which must follow, is within the input.
        guard offset >= 0, offset &+ length &+ 2 <= self.inputCount, length <= self.limits.bulkBytes,
            unsafe (input + offset + length).loadUnaligned(as: UInt16.self).littleEndian == 0x0A0D
        else { return false }
        return self.tokens.appendWithinRoom(RESPToken(.bulkString, offset: offset, length: length))
    }

    /// Handles a string of any kind, inside or outside the arena.
    @inline(never)
    private static func takeString(
        _ task: UnsafePointer<redisReadTask>, _ text: UnsafeMutablePointer<CChar>, _ length: Int,
        _ cell: UnsafeMutablePointer<ReplyBuilder>
    ) -> UnsafeMutableRawPointer? {
        unsafe cell.pointee.string(task.pointee.type, text, length) ? UnsafeMutableRawPointer(cell) : nil
    }

    /// Handles a byte string or a line; `text` is in hiredis's buffer, where CR LF must follow it.
    private mutating func string(_ type: Int32, _ text: UnsafeMutablePointer<CChar>, _ length: Int) -> Bool {
        // hiredis skips the two bytes after a byte string without reading them; if they are not CR LF, the reader is
        // out of sync.
        guard unsafe text[length] == 0x0D && text[length + 1] == 0x0A else { return self.refuse(.unterminated) }
        if type == REDIS_REPLY_STRING || type == REDIS_REPLY_VERB {
            guard length <= self.limits.bulkBytes else {
                if type == REDIS_REPLY_STRING, self.longValues != .refuse { return self.leaveOut(length) }
                return self.refuse(.limit(.bulkBytes, found: length))
            }
            if type == REDIS_REPLY_STRING, self.longValues == .leaveOutToFit, self.exceedsReply(length) {
                return self.leaveOut(length)
            }
            return unsafe self.bytes(type == REDIS_REPLY_STRING ? .bulkString : .verbatim, text, length)
        }
        guard length <= self.limits.lineBytes else {
            return self.refuse(.limit(.lineBytes, found: length))
        }
        switch type {
        case REDIS_REPLY_ERROR: return unsafe self.bytes(.error, text, length)
        case REDIS_REPLY_BIGNUM: return unsafe self.bytes(.bigNumber, text, length)
        default: return unsafe self.bytes(.simpleString, text, length)
        }
    }

    /// Whether `length` more bytes exceed the size of a reply.
    func exceedsReply(_ length: Int) -> Bool {
        unsafe self.input == nil && length > self.limits.replyBytes - min(self.arena.count, self.limits.replyBytes)
    }

    /// Handles a null, or the byte string that was replaced with one.
    private mutating func null() -> Bool {
        if let length = self.replaced.take() { return self.leaveOut(length) }
        return self.token(.null, length: 0)
    }

    /// Records the length of a byte string without its bytes.
    private mutating func leaveOut(_ length: Int) -> Bool {
        self.hasLongValues = true
        return self.text(.tooLong, String(length))
    }

    /// Handles the header of an aggregate of `elements` values, which follow.
    private mutating func aggregate(_ type: Int32, _ elements: Int) -> Bool {
        let depth = unsafe Int(self.reader?.pointee.ridx ?? 0) + 1
        guard depth <= self.limits.nesting else { return self.refuse(.limit(.nesting, found: depth)) }
        guard elements <= self.limits.arrayElements else {
            return self.refuse(.limit(.arrayElements, found: elements))
        }
        self.announced += elements
        guard self.announced <= self.limits.replyTokens else {
            return self.refuse(.limit(.replyTokens, found: self.announced))
        }
        let kind: RESPKind
        switch type {
        case REDIS_REPLY_ATTR: return self.refuse(.attribute)
        case REDIS_REPLY_MAP: kind = .map
        case REDIS_REPLY_SET: kind = .set
        case REDIS_REPLY_PUSH: kind = .push
        default: kind = .array
        }
        return self.token(kind, length: elements)
    }

    /// Appends a short text that is not from the input.
    private mutating func text(_ kind: RESPKind, _ text: String) -> Bool {
        var text = text
        return text.withUTF8 { utf8 in
            guard let base = utf8.baseAddress else { return self.token(kind, length: 0) }
            return unsafe self.bytes(kind, base, utf8.count)
        }
    }

    /// Appends a value that has bytes.
    private mutating func bytes(_ kind: RESPKind, _ source: UnsafeRawPointer, _ length: Int) -> Bool {
        if let input = unsafe self.input {
            let offset = unsafe source - input
            // A text that is not from the input is stored elsewhere.
            if offset >= 0, offset &+ length <= self.inputCount {
                let done = self.tokens.append(RESPToken(kind, offset: offset, length: length))
                return done || self.refuse(.memory)
            }
        }
        let offset = self.arena.count
        // The replacement of a value that is left out has a few bytes, and there are at most as many as values.
        guard offset &+ length <= self.limits.replyBytes || kind == .tooLong else {
            return self.refuse(.limit(.replyBytes, found: offset + length))
        }
        guard unsafe self.arena.append(source, length: length),
            self.tokens.append(RESPToken(kind, offset: offset, length: length))
        else { return self.refuse(.memory) }
        return true
    }

    /// Appends a value without bytes.
    @inline(__always)
    private mutating func token(_ kind: RESPKind, length: Int) -> Bool {
        let done = self.tokens.append(RESPToken(kind, offset: self.arena.count, length: length))
        return done || self.refuse(.memory)
    }

    /// Records why a value is refused; always returns `false`.
    @inline(never)
    private mutating func refuse(_ refusal: Refusal) -> Bool {
        self.refusal = refusal
        return false
    }
}
