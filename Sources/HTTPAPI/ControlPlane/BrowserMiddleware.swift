import HTTPTypes
import Hummingbird

/// Tells browsers to take every answer of the control plane for what it says it is, and to keep and show it nowhere else.
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

/// Refuses writes that a page of another site sends from somebody's browser.
///
/// Where no token is set the control plane is open to its own machine, and a browser on that machine would carry anybody's
/// page there. Programs that are no browsers send neither of the two headers and pass.
struct SameOriginMiddleware: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        if request.method != .get, request.method != .head, isForeign(request) {
            throw Problem(.unauthorized, "Pages of other sites change nothing here; use the dashboard of this server.")
        }
        return try await next(request, context)
    }

    /// Browsers tell the relation of the two sites, but not to every server over plain HTTP; they always tell the origin.
    private func isForeign(_ request: Request) -> Bool {
        if let relation = request.headers[.secFetchSite] { return relation != "same-origin" && relation != "none" }
        guard let origin = request.headers[.origin] else { return false }
        guard let host = request.head.authority else { return true }
        return !["http://\(host)", "https://\(host)"].contains { equalsIgnoringCase(origin, $0.lowercased()) }
    }
}

extension HTTPField.Name {
    fileprivate static var secFetchSite: HTTPField.Name { named("Sec-Fetch-Site") }
    fileprivate static var referrerPolicy: HTTPField.Name { named("Referrer-Policy") }
    fileprivate static var xXSSProtection: HTTPField.Name { named("X-XSS-Protection") }
    fileprivate static var xFrameOptions: HTTPField.Name { named("X-Frame-Options") }
    fileprivate static var crossOriginOpenerPolicy: HTTPField.Name { named("Cross-Origin-Opener-Policy") }

    private static func named(_ name: String) -> HTTPField.Name {
        guard let field = HTTPField.Name(name) else { preconditionFailure("'\(name)' is no name of a header") }
        return field
    }
}
