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

    /// Reads a header field, if it is one of these; a repeated one counts as that of a foreign page.
    mutating func read(_ name: String, _ value: String) {
        if equalsIgnoringCase(name, "host") {
            host = value
        } else if equalsIgnoringCase(name, "origin") {
            origin = origin == nil ? value : "repeated"
        } else if equalsIgnoringCase(name, "sec-fetch-site"), !value.isEmpty {
            relation = relation == nil ? value : "repeated"
        }
    }

    /// Whether a page of another site sent the request.
    var isForeign: Bool {
        if let relation {
            return !equalsIgnoringCase(relation, "same-origin") && !equalsIgnoringCase(relation, "none")
        }
        guard let origin else { return false }
        guard let host, let address = Authority(host) else { return true }
        return ![("http://", UInt16(80)), ("https://", 443)].contains { scheme, port in
            guard origin.lowercased().hasPrefix(scheme), let page = Authority(String(origin.dropFirst(scheme.count)))
            else {
                return false
            }
            return page.host.lowercased() == address.host.lowercased() && (page.port ?? port) == (address.port ?? port)
        }
    }

    /// The problem for a request from a page of another site.
    static let problem = Problem(
        .unauthorized,
        "Pages of other sites may not use this server; call it from a program or from one of its own pages."
    )
}
