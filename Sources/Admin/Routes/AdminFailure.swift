import Hummingbird
import StageKit

/// A request that cannot be answered: `{"error":"not_found","message":"..."}`.
struct AdminFailure: Error, Equatable {
    /// The status of the response.
    var status: HTTPResponse.Status
    /// An error code for programs; it stays the same when the message changes.
    var code: String
    /// The error message, one sentence.
    var message: String
    /// The allowed methods, if the path does not support the request's method.
    var allowed: String?

    /// No resource exists at the path.
    static func notFound(_ message: String) -> AdminFailure {
        AdminFailure(status: .notFound, code: "not_found", message: message)
    }

    /// The path supports only other methods.
    static func methodNotAllowed(allowed: String) -> AdminFailure {
        AdminFailure(
            status: .methodNotAllowed, code: "method_not_allowed", message: "this path supports \(allowed)",
            allowed: allowed)
    }

    /// The request is malformed or incomplete.
    static func badRequest(_ message: String) -> AdminFailure {
        AdminFailure(status: .badRequest, code: "bad_request", message: message)
    }

    /// The request cannot be answered now, but may succeed later.
    static func unavailable(_ code: String, _ message: String) -> AdminFailure {
        AdminFailure(status: .serviceUnavailable, code: code, message: message)
    }

    /// The response body.
    var bytes: [UInt8] {
        var bytes = Array("{".utf8)
        JSONText.appendMember("error", self.code, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember("message", self.message, to: &bytes)
        return bytes + Array("}\n".utf8)
    }

    /// The response.
    var response: Response {
        var response = Response.json(self.bytes, status: self.status)
        if let allowed { response.headers[.allow] = allowed }
        return response
    }
}

extension Response {
    /// Headers of every response. Responses must not be cached, because the data changes within milliseconds; and pages
    /// of other sites must not detect whether a resource exists.
    static let fixedFields: HTTPFields = {
        var fields: HTTPFields = [.cacheControl: "no-store", .xContentTypeOptions: "nosniff"]
        fields[.init("Cross-Origin-Resource-Policy")!] = "same-origin"
        return fields
    }()

    /// Returns a JSON response.
    static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
