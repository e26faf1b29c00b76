import HTTPTypes
import Hummingbird

/// Adds security headers to every answer of the control plane.
///
/// Browsers must respect the stated media type, not cache the answer, and not embed it in other pages.
struct SecurityHeadersMiddleware: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        let headers = [
            (HTTPField.Name.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'"),
            (.xContentTypeOptions, "nosniff"), (.referrerPolicy, "no-referrer"), (.xFrameOptions, "DENY"),
            (.cacheControl, "no-store"), (.xXSSProtection, "0"), (.crossOriginResourcePolicy, "same-origin"),
            (.crossOriginOpenerPolicy, "same-origin"),
        ]
        for (name, value) in headers where response.headers[name] == nil { response.headers[name] = value }
        return response
    }
}

/// Refuses writes that a page of another site sends through a browser; see ``RequestSource``.
struct SameOriginMiddleware: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        if request.method != .get, request.method != .head, source(of: request).isForeign {
            throw RequestSource.problem
        }
        return try await next(request, context)
    }

    private func source(of request: Request) -> RequestSource {
        RequestSource(
            relation: request.headers[.secFetchSite],
            origin: request.headers[.origin],
            host: request.head.authority
        )
    }
}

extension HTTPField.Name {
    fileprivate static var secFetchSite: HTTPField.Name { named("Sec-Fetch-Site") }
    fileprivate static var referrerPolicy: HTTPField.Name { named("Referrer-Policy") }
    fileprivate static var xXSSProtection: HTTPField.Name { named("X-XSS-Protection") }
    fileprivate static var xFrameOptions: HTTPField.Name { named("X-Frame-Options") }
    fileprivate static var crossOriginOpenerPolicy: HTTPField.Name { named("Cross-Origin-Opener-Policy") }

    private static func named(_ name: String) -> HTTPField.Name {
        guard let field = HTTPField.Name(name) else { preconditionFailure("'\(name)' is not a header name") }
        return field
    }
}
