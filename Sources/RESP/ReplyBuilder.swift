import CHiredis

/// Where hiredis's callbacks put the values of the reply that is being read.
///
/// Lifetime: `RESPReader` owns one, in a heap cell whose address never changes, because hiredis keeps that address as
/// the privdata of each task. The cell is made before the hiredis reader and freed
/// after it. Callbacks run only inside `redisReaderGetReply`, on its caller's thread, never nested, and nothing else
/// touches the cell meanwhile; so plain access through the pointer is exclusive.
@safe
struct ReplyBuilder: ~Copyable {
    /// Why a callback refused a value; hiredis itself only says "Out of memory" then.
    enum Refusal {
        /// A length or number was above the limit of this name.
        case limit(RESPLimits.Name, found: Int)
        /// The two bytes behind a value were not CR LF.
        case unterminated
        /// A RESP3 attribute: hiredis hands it over as if it were a value of its own, so nothing after it would fit.
        case attribute
        /// The system gave no memory.
        case memory
    }

    /// The values so far.
    var tokens = TokenBuffer()
    /// The bytes of the values so far.
    var arena = RESPArena()
    /// The number of values announced so far: the root, and the elements of each aggregate; never below `tokens.count`.
    var announced = 1
    /// Why the last value was refused, if it was.
    var refusal: Refusal?
    /// What happens to a byte string that is longer than the limits allow.
    var longValues = RESPReader.LongValues.refuse
    /// The length of a byte string that the reader has replaced with a null in its input; `nil` if the next null is one.
    var replaced: Int?
    /// Whether a byte string was left out of the reply.
    private(set) var hasLongValues = false
    /// The bounds.
    let limits: RESPLimits
    /// Where the input of the reply begins, while it is read in place: its bytes lie in the arena already, as they came,
    /// and the callbacks only note where each value is. Nil while values are copied one by one.
    private var input: UnsafeRawPointer?
    /// How many bytes of the arena are the input's.
    private var inputCount = 0
    /// The reader that calls, for its depth; set once, right after it is made.
    var reader: UnsafeMutablePointer<redisReader>?

    /// Makes an empty builder.
    init(limits: RESPLimits) {
        self.limits = limits
    }

    /// Makes ready for the next reply.
    mutating func startReply() {
        self.announced = 1
        self.refusal = nil
        self.hasLongValues = false
        unsafe self.input = nil
    }

    /// Takes the whole input of the reply that is about to be read into the arena; false where there is no memory for it,
    /// or it is longer than a reply may be: then its values are copied one by one, and refused one by one.
    ///
    /// `input` must lie still, unchanged, until `startReply` is called: hiredis moves its buffer when it is fed, and when a
    /// reply has been read, and at no other time.
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
    /// They are literals, for their parameter types differ between hiredis 0.14 and 1.x.
    ///
    /// Each answers a pointer that is not null (hiredis only asks whether it is) or null, which makes the reader fail.
    /// There is no `freeObject`: no value owns anything.
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

    /// The cell that a task belongs to.
    @inline(__always)
    private static func cell(_ task: UnsafePointer<redisReadTask>) -> UnsafeMutablePointer<ReplyBuilder>? {
        unsafe task.pointee.privdata?.assumingMemoryBound(to: ReplyBuilder.self)
    }

    /// Takes a byte string that lies in the arena already, as nearly all of the traffic does; false where anything about it
    /// is out of the ordinary, and then nothing is changed.
    @inline(__always)
    private mutating func note(_ text: UnsafeMutablePointer<CChar>, _ length: Int) -> Bool {
        guard let input = unsafe self.input else { return false }
        let offset = unsafe UnsafeRawPointer(text) - input
        // Before the input's end there is room for CR LF, which must follow.
        guard offset >= 0, offset &+ length &+ 2 <= self.inputCount, length <= self.limits.bulkBytes,
            unsafe (input + offset + length).loadUnaligned(as: UInt16.self).littleEndian == 0x0A0D
        else { return false }
        return self.tokens.appendWithinRoom(RESPToken(.bulkString, offset: offset, length: length))
    }

    /// Takes a string of any kind, from wherever it is.
    @inline(never)
    private static func takeString(
        _ task: UnsafePointer<redisReadTask>, _ text: UnsafeMutablePointer<CChar>, _ length: Int,
        _ cell: UnsafeMutablePointer<ReplyBuilder>
    ) -> UnsafeMutableRawPointer? {
        unsafe cell.pointee.string(task.pointee.type, text, length) ? UnsafeMutableRawPointer(cell) : nil
    }

    /// Takes a byte string or a line; `text` lies in hiredis's buffer, where CR LF must follow it.
    private mutating func string(_ type: Int32, _ text: UnsafeMutablePointer<CChar>, _ length: Int) -> Bool {
        // hiredis skips the two bytes behind a byte string unread; if they are not CR LF, we are out of step.
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

    /// Whether so many more bytes are more than a reply may have.
    func exceedsReply(_ length: Int) -> Bool {
        unsafe self.input == nil && length > self.limits.replyBytes - min(self.arena.count, self.limits.replyBytes)
    }

    /// Takes a null, or what was replaced with one.
    private mutating func null() -> Bool {
        if let length = self.replaced.take() { return self.leaveOut(length) }
        return self.token(.null, length: 0)
    }

    /// Notes a byte string of so many bytes without its bytes.
    private mutating func leaveOut(_ length: Int) -> Bool {
        self.hasLongValues = true
        return self.text(.tooLong, String(length))
    }

    /// Takes the header of an aggregate of `elements` values, which come next.
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

    /// Takes a short text of our own making.
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
            // A text of our own making lies elsewhere.
            if offset >= 0, offset &+ length <= self.inputCount {
                let done = self.tokens.append(RESPToken(kind, offset: offset, length: length))
                return done || self.refuse(.memory)
            }
        }
        let offset = self.arena.count
        // What stands for a value that is left out has a few bytes, and as often as there are values at most.
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

    /// Notes why a value is refused; always false.
    @inline(never)
    private mutating func refuse(_ refusal: Refusal) -> Bool {
        self.refusal = refusal
        return false
    }
}
