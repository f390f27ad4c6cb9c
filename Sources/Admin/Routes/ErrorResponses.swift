import Hummingbird

/// Turns failures of the routes and the router into JSON errors, and adds the fixed headers to every response.
///
/// Other errors are passed to Hummingbird, which answers 500, or 400 and closes the connection if the request cannot be
/// parsed.
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
