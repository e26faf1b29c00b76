import HTTPTypes
import Hummingbird
import Kernels
import Logging

/// Turns every error of a handler into an RFC 9457 answer.
struct ProblemMiddleware: RouterMiddleware {
    let logger: Logger

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            let response = response(problem(error, context), context)
            return request.method == .head ? response.createHeadResponse() : response
        }
    }

    private func problem(_ error: any Error, _ context: BasicRequestContext) -> Problem {
        if let problem = error as? Problem { return problem }
        if let error = error as? any HTTPResponseError, error.status.code < 500 {
            return error.status == .notFound
                ? Problem(.notFound, "There is no such path, or it does not support this method.")
                : Problem(.invalidArgument, "The request is malformed.")
        }
        let metadata: Logger.Metadata = ["request.id": "\(context.id)", "error": "\(error)"]
        logger.error("control request failed", metadata: metadata)
        return Problem(.internalError, "The request could not be answered; find its id in the server's log.")
    }

    private func response(_ problem: Problem, _ context: BasicRequestContext) -> Response {
        var writer = JSONWriter()
        problem.write(to: &writer, instance: "\(context.id)".utf8)
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if let seconds = problem.retryAfter { headers[.retryAfter] = "\(seconds)" }
        if let allow = problem.allow { headers[.allow] = allow }
        if problem.code == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        return Response(
            status: .init(code: problem.code.status),
            headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: writer.bytes))
        )
    }
}

/// Requires the token; if none is set, requires that the Host header names this machine.
///
/// The check of the Host header prevents DNS rebinding: a page of another site, open in a browser on this machine,
/// points its own host name at this server and so passes as one of the server's own pages.
struct AccessMiddleware: RouterMiddleware {
    typealias Context = BasicRequestContext

    let token: ControlToken?

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        guard let token else {
            try checkHost(of: request)
            return try await next(request, context)
        }
        let parts = request.headers[.authorization]?.split(separator: " ", maxSplits: 1) ?? []
        guard parts.count == 2, equalsIgnoringCase(parts[0], "bearer"), token.matches(Array(parts[1].utf8)) else {
            throw Problem(.unauthorized, "Send 'Authorization: Bearer' with the token of CONTROL_TOKEN_FILE.")
        }
        return try await next(request, context)
    }

    private func checkHost(of request: Request) throws {
        let host = Authority(request.head.authority ?? "")?.host ?? ""
        guard ServerConfiguration.isLoopback(host) else {
            throw Problem(.unauthorized, "Without a token the host must name this machine; got '\(host)'.")
        }
    }
}

/// Answers on low-priority threads, so that a scrape cannot delay retrievals on the data plane's event loops.
///
/// The threads belong to Swift's concurrency pool. This process runs no time-critical work there.
struct BackgroundMiddleware: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        CPU.lowerThreadPriority(nice: 10)
        return try await next(request, context)
    }
}
