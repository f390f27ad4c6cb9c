import Hummingbird

/// Turns what the routes and the router refuse into JSON errors, and puts on every response what all of them carry.
///
/// Other errors go on to Hummingbird, which answers 500, or 400 and the end of the connection where it cannot be read.
struct ErrorResponses<Context: RequestContext>: RouterMiddleware {
    /// Answers a request.
    @concurrent func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as AdminFailure {
            response = error.response
        } catch let error as HTTPError where error.status == .notFound {
            response = AdminFailure.notFound("nothing is served at \(request.uri.path)").response
        } catch let error as any HTTPResponseError {
            response =
                AdminFailure(
                    status: error.status, code: "refused", message: error.status.reasonPhrase
                ).response
        }
        for field in Response.fixedFields where response.headers[field.name] == nil {
            response.headers.append(field)
        }
        return request.method == .head ? response.createHeadResponse() : response
    }
}
