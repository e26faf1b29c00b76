/// What a browser tells of the page that sent a request; programs that are no browsers tell nothing.
///
/// A service that is open to its own machine, or to its own network, is reached by the browsers there, and these carry
/// pages of anybody. Such a page must not make the service work or change. Browsers tell the relation of the two sites
/// (`Sec-Fetch-Site`), but not to every server over plain HTTP; they always tell the origin of a POST.
struct RequestSource {
    /// The value of `Sec-Fetch-Site`.
    var relation: String?
    /// The value of `Origin`.
    var origin: String?
    /// The value of `Host`.
    var host: String?

    /// Whether a page of another site sent the request.
    var isForeign: Bool {
        if let relation { return relation != "same-origin" && relation != "none" }
        guard let origin else { return false }
        guard let host else { return true }
        return !["http://\(host)", "https://\(host)"].contains { equalsIgnoringCase(origin, $0.lowercased()) }
    }

    /// The problem of a request from a page of another site.
    static let problem = Problem(
        .unauthorized,
        "Pages of other sites get nothing here; ask from a program, or from a page of this server."
    )
}
