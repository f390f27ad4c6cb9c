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

    /// The body that is sent.
    var bytes: [UInt8] {
        var bytes = Array("{".utf8)
        JSONText.appendMember("error", self.code, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONText.appendMember("message", self.message, to: &bytes)
        return bytes + Array("}\n".utf8)
    }

    /// What is sent.
    var response: Response {
        var response = Response.json(self.bytes, status: self.status)
        if let allowed { response.headers[.allow] = allowed }
        return response
    }
}

extension Response {
    /// Headers of every response. What is served changes by the millisecond, so nobody on the way may answer in our place;
    /// and no page of another site gets to see whether something is there.
    static let fixedFields: HTTPFields = {
        var fields: HTTPFields = [.cacheControl: "no-store", .xContentTypeOptions: "nosniff"]
        fields[.init("Cross-Origin-Resource-Policy")!] = "same-origin"
        return fields
    }()

    /// A response of JSON.
    static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
