/// Counts of the rows that an import read and wrote.
public struct ImportSummary: Sendable, Equatable {
    /// One file of interactions.
    public struct Part: Sendable, Equatable {
        /// The file's name without `.csv`.
        public let name: String
        /// How many different users, or sessions, it holds.
        public let users: Int
        /// How many different items it holds.
        public let items: Int
        /// How many rows it holds.
        public let events: Int
    }

    /// Rows of the raw interactions, before any filter.
    public let rows: Int
    /// The files of interactions that were written.
    public let parts: [Part]
    /// How many different users all parts hold.
    public let users: Int
    /// How many different items all parts hold.
    public let items: Int

    /// Notes for the user about the columns and times of the log; none for public data, whose form is known.
    public internal(set) var notes: [String] = []

    /// How many interactions all parts hold.
    public var events: Int { parts.reduce(0) { $0 + $1.events } }
}
