/// The header fields by which a browser identifies the page that sent a request.
///
/// Browsers on the service's machine or network can reach the service, and they show pages of any site. A page of
/// another site must not cause work or changes (cross-site request forgery). `Sec-Fetch-Site` states how the two sites
/// relate, but browsers omit it for some servers over plain HTTP. They always send `Origin` with a POST. Other
/// programs send neither.
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

    /// The problem for a request from a page of another site.
    static let problem = Problem(
        .unauthorized,
        "Pages of other sites may not use this server; call it from a program or from one of its own pages."
    )
}
