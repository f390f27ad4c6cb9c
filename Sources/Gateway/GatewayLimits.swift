import NIOCore

/// Limits on the resources that clients can make the gateway's doors use.
public enum GatewayLimits {
    /// Connections of a door, counted over all its addresses. nginx with 64 workers that keep 32 connections each needs
    /// 2,048; one takes some 10 KiB.
    public static let connections = 4096
    /// Connections in the accept queue of an address.
    static let backlog = 511
    /// Connections of an address that are accepted before the others of the thread have their turn.
    static let acceptsPerTurn = 16
    /// Time after which a connection is accepted again if the system had no descriptor or memory for it: until then, it
    /// would fail again and again.
    static let acceptPause = TimeAmount.milliseconds(100)
    /// Bytes of the request target, and of any one header with its name. Envoy passes the client's headers on.
    static let headerFieldBytes = 16 * 1024
    /// Bytes of all headers of a request, as nginx accepts from its own clients by default.
    static let headerListBytes = 48 * 1024
    /// Bytes of the head of a plain request, which is read without the codec. No part of it exceeds a limit above.
    static let plainBytes = headerFieldBytes
    /// Reads in which the head of a plain request may arrive; beyond them, the codec reads the connection. Each read
    /// begins again at the head's first byte.
    static let plainReads = 8
    /// Headers of a request.
    static let headerCount = 128
    /// Bytes of a request's body, which is read and discarded so that the connection can be kept. Proxies are asked to
    /// send none.
    static let bodyBytes = 1 << 20
    /// Calls in flight on a connection of the gRPC door, which the codec allows before the client has learnt of any
    /// limit. Envoy opens another connection then, if its own limit is the same.
    static let streams = 100
    /// Bytes of the message of a call: a request's headers, of which Envoy accepts 60 KiB by default, and the other
    /// attributes, such as a client's certificate.
    static let messageBytes = 128 * 1024
    /// Bytes of the incomplete messages of a connection: those of all calls in flight, if each has a request of 10 KiB.
    static let pendingMessageBytes = 1 << 20
    /// Frames of HTTP/2 that cancel calls, and likewise errors of calls, and PING and other frames without a call, that
    /// a connection may have in `floodTime`. If a worker was stopped, Envoy cancels its calls after its limit of
    /// 250 ms, 400 per second on a connection; clients of gRPC in Go send a PING with almost every call. The codec
    /// allocates 8 bytes for each.
    static let floodFrames = 1000
    /// The time in which these frames are counted.
    static let floodTime = TimeAmount.milliseconds(100)
    /// Bytes of a header value of a response. nginx's buffer for all headers has 4 KiB.
    static let headerValueBytes = 4096
    /// Time from the first byte of a request to its last one, and for a client to take its response. Gateways are on
    /// the same host or in the same network.
    static let requestSeconds = 10
    /// Time that a connection may be idle between two requests: longer than the 60 s for which nginx and Envoy keep
    /// an idle connection, so that they do not send a request while this side closes.
    static let idleSeconds = 120
    /// Time for requests in flight when the door closes.
    static let closingSeconds = 2
    /// Threads of a door.
    public static let threads = 1...64
    /// Headers with fields of the session.
    static let headers = 32
    /// Sources of the key.
    static let sources = 8
    /// Addresses of a door.
    static let addresses = 16
}
