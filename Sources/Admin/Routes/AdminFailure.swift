import Hummingbird
import StageKit

/// A request that cannot be answered: `{"error":"not_found","message":"..."}`.
struct AdminFailure: Error, Equatable {
    /// The status of the response.
    var status: HTTPResponse.Status
    /// A word for programs, which stays when the message changes.
    var code: String
    /// A sentence for people.
    var message: String
    /// The methods that the path knows, where it does not know the request's.
    var allowed: String?

    /// Nothing stands at the path.
    static func notFound(_ message: String) -> AdminFailure {
        AdminFailure(status: .notFound, code: "not_found", message: message)
    }

    /// The path knows other methods.
    static func methodNotAllowed(allowed: String) -> AdminFailure {
        AdminFailure(
            status: .methodNotAllowed, code: "method_not_allowed", message: "this path knows \(allowed)",
            allowed: allowed)
    }

    /// The request does not say what it wants.
    static func badRequest(_ message: String) -> AdminFailure {
        AdminFailure(status: .badRequest, code: "bad_request", message: message)
    }

    /// It could be answered at another time.
    static func unavailable(_ code: String, _ message: String) -> AdminFailure {
        AdminFailure(status: .serviceUnavailable, code: code, message: message)
    }

    /// What is sent.
    var response: Response {
        var bytes = Array("{".utf8)
        JSONText.appendMember("error", self.code, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember("message", self.message, to: &bytes)
        bytes += Array("}\n".utf8)
        var response = Response.json(bytes, status: self.status)
        if let allowed { response.headers[.allow] = allowed }
        return response
    }
}

extension Response {
    /// A response of JSON.
    static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
