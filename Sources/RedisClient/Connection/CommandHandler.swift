import NIOCore
import NIOSSL
import NIOTLS
import RESP
import StageKit

/// Writes commands and reads replies on the event loop. `CommandQueue` decides which reply belongs to which command.
///
/// Not thread-safe: use it on the event loop only.
final class CommandHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundOut = ByteBuffer

    /// Set to `nil` when the connection is ready for commands, or to the error if it never will be.
    let ready = OneShot<RedisError?>()

    private let isEncrypted: Bool
    private let serverName: String?
    private let address: RedisAddress
    private let executor: EventLoopExecutor
    private var reader = RESPReader()
    /// Scans an incomplete reply, if its waiter asked for an outline before the reply is parsed.
    private var scanner: ReplyScanner?
    private var queue = CommandQueue<PendingReply>()
    private var timer: Scheduled<Void>?
    private var context: ChannelHandlerContext?
    private var hasAnswered = false
    /// The reporter that is notified when part of a large reply arrives, or `nil`.
    var progress: ProgressReporter?

    init(_ settings: RedisSettings, _ executor: EventLoopExecutor) {
        self.executor = executor
        self.isEncrypted = settings.tls != nil
        self.address = settings.address
        self.serverName = settings.tls.flatMap { TLSContext.serverName($0, settings.address) }
    }

    // MARK: Requests from the connection

    /// Sends a command. Always completes `waiter`, with the reply or with an error.
    func submit(_ encoded: [UInt8], _ waiter: PendingReply, timeout: ReplyTimeout, flush: Bool) {
        let submission = self.queue.submit(
            waiter, bytes: encoded.count, silence: UInt64(clamping: TimeAmount(timeout.duration).nanoseconds),
            of: timeout.setting, now: NIODeadline.now().uptimeNanoseconds)
        switch submission {
        case .refuse(let error):
            waiter.fail(error)
            // Flush the commands that the same call has already written; no later flush will follow.
            if flush { self.context?.flush() }
        case .write(let timer):
            if let timer { self.setTimer(timer) }
            guard let context = self.context else { return self.fail(.closedHere) }
            context.write(self.wrapOutboundOut(context.channel.allocator.buffer(bytes: encoded)), promise: nil)
            if flush { context.flush() }
        }
    }

    /// Returns a reply to the parser, which reuses its memory.
    func recycle(_ reply: sending RESPReply) {
        self.reader.recycle(reply)
    }

    /// Fails every waiting command with `error`, then closes the connection.
    func fail(_ error: RedisError) {
        self.timer?.cancel()
        self.timer = nil
        let waiters = self.queue.close(error)
        self.ready.set(error)
        self.context?.close(promise: nil)
        for waiter in waiters { waiter.fail(error) }
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.fail(.closedHere)
    }

    func channelActive(context: ChannelHandlerContext) {
        if !self.isEncrypted { self.ready.set(nil) }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { self.handshakeCompleted(context) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.executor.runningJobs { self.take(self.unwrapInboundIn(data)) }
    }

    private func take(_ buffer: ByteBuffer) {
        self.queue.bytesArrived(now: NIODeadline.now().uptimeNanoseconds)
        if self.scanner == nil, self.reader.unreadBytes == 0, self.queue.next?.outlinedFrom != nil {
            self.scanner = ReplyScanner()
        }
        do throws(RESPError) {
            // A typed error would be lost here: ByteBuffer's method is declared `rethrows`.
            let fed = unsafe buffer.withUnsafeReadableBytes { bytes in
                Result { () throws(RESPError) in unsafe try self.reader.feed(bytes) }
            }
            try fed.get()
        } catch {
            return self.fail(.unreadable(error))
        }
        if !self.isKeptBack() { self.readReplies() }
        // A large reply over a slow link may take longer than the time without progress that the watchdog allows a
        // source.
        if self.reader.unreadBytes > 0 { self.progress?.pulse() }
    }

    /// Returns whether parsing the next reply must wait: it is incomplete, or its outline has just been announced.
    ///
    /// A reply with few entries is not announced; the extra step would cost more than it saves.
    private func isKeptBack() -> Bool {
        guard var scanner = self.scanner.take() else { return false }
        switch self.reader.scan(&scanner) {
        case .more:
            self.scanner = scanner
            return true
        case .whole(_, let entries, let place):
            guard let waiter = self.queue.next, let fewest = waiter.outlinedFrom, entries >= fewest,
                let last = self.reader.withUnread(place, { EntryID(utf8: $0) }) ?? nil
            else { return false }
            self.queue.replyIsHere()
            waiter.announce(PendingReply.Outline(entries: entries, last: last))
            return true
        case .other: return false
        }
    }

    /// Parses and delivers all complete replies.
    func readReplies() {
        self.scanner = nil
        do throws(RESPError) {
            while true {
                self.reader.setLongValues(self.queue.next?.leavesOutToFit == true ? .leaveOutToFit : .leaveOut)
                guard let reply = try self.reader.next() else { break }
                self.handle(reply)
            }
        } catch {
            self.fail(.unreadable(error))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.readReplies()
        self.fail(self.endOfStream)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A TLS port may answer a plaintext command with a reset instead of an orderly close. Report both in the same
        // way.
        if error is IOError, !self.hasAnswered { return self.fail(self.endOfStream) }
        let certificate = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self).peerCertificate
        self.fail(.transport(error, address: self.address, certificate: certificate.map(CertificateDates.init)))
    }

    // MARK: Details

    /// Checks the name in the server's certificate. Nothing is sent before this check has succeeded.
    private func handshakeCompleted(_ context: ChannelHandlerContext) {
        guard let name = self.serverName else { return _ = self.ready.set(nil) }
        let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
        guard let certificate = handler?.peerCertificate, ServerName.isNamed(name, by: certificate) else {
            return self.fail(.otherName(self.address, "expected \(name)"))
        }
        self.ready.set(nil)
    }

    private func handle(_ reply: sending RESPReply) {
        self.hasAnswered = true
        switch self.queue.replyArrived(now: NIODeadline.now().uptimeNanoseconds) {
        case .deliver(let waiter): waiter.succeed(reply)
        case .ignore: break
        case .unexpected:
            // A server that has reached its client limit sends an error before the first command.
            if let text = reply.errorMessage {
                self.fail(.answer(text, to: "connect"))
            } else {
                self.fail(.unexpectedAnswer(to: "connection", "a reply without a command"))
            }
        }
    }

    private func setTimer(_ deadline: UInt64) {
        self.timer?.cancel()
        guard let loop = self.context?.eventLoop else { return }
        self.timer = loop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(deadline)) {
            self.timerFired(now: .now())
        }
    }

    /// Checks whether the server was silent for too long.
    ///
    /// - Parameter now: The current time, passed by the timer or by a test.
    func timerFired(now: NIODeadline) {
        self.timer = nil
        switch self.queue.timerFired(now: now.uptimeNanoseconds) {
        case .rest: break
        case .again(let deadline): self.setTimer(deadline)
        case .timedOut(let lateness):
            let hint =
                self.hasAnswered || self.isEncrypted ? "" : "; does this port expect TLS (redis.tls)?"
            self.fail(.late(lateness, self.address, hint: hint))
        }
    }

    private var endOfStream: RedisError {
        if self.hasAnswered {
            return RedisError(.closed, "\(self.address): the server closed the connection", isTransient: true)
        }
        let hint = self.isEncrypted ? "does this port use TLS?" : "does this port expect TLS (redis.tls)?"
        return RedisError(
            .closed, "\(self.address): the server closed the connection before its first reply; \(hint)",
            isTransient: true)
    }
}
