/// The settings of the search outside of the process.
package struct SearchConfiguration: Sendable, Equatable {
    /// The answer while a server is missing.
    package enum Partial: String, CaseIterable, Sendable {
        /// 503.
        case refuse
        /// The items of the other servers.
        case allow
    }

    /// SEARCH: the addresses of the servers; none means the index in the process.
    package var servers: [String] = []
    /// SEARCH_PARTIAL: the answer while a server is missing.
    package var partial = Partial.refuse
    /// SEARCH_TIMEOUT_MS: how long the searches of one answer may take together.
    package var timeout = Duration.milliseconds(200)
    /// SEARCH_CONNECTIONS: how many answers search at once.
    package var connections = 16
    /// SEARCH_EF: the effort of a search; nil is that of the published version.
    package var effort: Int?

    /// The defaults.
    package init() {}
}
