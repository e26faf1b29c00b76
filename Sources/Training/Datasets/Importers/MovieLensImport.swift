/// Converts MovieLens ratings to a folder with `events.csv` and, given the films, `items.csv`.
///
/// The file name's ending tells the format. `ratings.dat` and `movies.dat` (1M and 10M) have fields between `::`, no
/// header, titles in ISO 8859-1 or UTF-8. `ratings.csv` and `movies.csv` (later sets) are RFC 4180 with a header.
/// Either may end in `.gz`. Ratings count as implicit feedback: the event is that a user rated a film. Rare films,
/// then rare users, are dropped once, as in ComiRec's preprocessing. Rows keep the file's order, which later breaks
/// ties in time.
public struct MovieLensImport: Sendable {
    /// The ratings.
    public var ratings: String
    /// The films, for titles and genres.
    public var movies: String?
    /// The lowest rating that counts as an interaction; by default every rating counts.
    public var minimumRating = 0.0
    /// Drop films, then users, with fewer interactions.
    public var minimumInteractions = 5

    /// An import with the default filters.
    public init(ratings: String, movies: String? = nil) {
        self.ratings = ratings
        self.movies = movies
    }

    /// Reads the files and writes the folder.
    ///
    /// - Parameter folder: The target folder; missing or empty.
    /// - Returns: Counts.
    /// - Throws: `CSVError` with file, line and column, ``ImportError`` or `SystemCallError`; leaves nothing behind.
    /// - Complexity: O(n) in ratings; 24 bytes each plus the ids.
    public func run(into folder: String) throws -> ImportSummary {
        try DatasetFolder.requireFree(folder)
        var (log, rows) = try readRatings()
        let texts = try readMovies(of: log.items)
        log.dropRare(below: minimumInteractions)
        return try DatasetFolder.create(folder, source: ratings, rows: rows, users: log.users, items: log.items) {
            try $0.write(log.interactions, as: "events")
            if let texts { try $0.writeItems(texts) }
        }
    }

    private func readRatings() throws(CSVError) -> (InteractionLog, rows: Int) {
        let names = ["userId", "movieId", "rating", "timestamp"]
        var reader = try Self.reader(of: ratings, header: names)
        let columns = try reader.columns(names)
        var (log, rows) = (InteractionLog(), 0)
        while try reader.next() {
            rows += 1
            let (user, item) = (try reader.id(columns[0]), try reader.id(columns[1]))
            let (rating, timestamp) = (try reader.number(columns[2]), try reader.exactNumber(columns[3]))
            if rating >= minimumRating { log.append(user: user, item: item, timestamp: timestamp) }
        }
        return (log, rows)
    }

    private func readMovies(of items: InternTable) throws(CSVError) -> ItemTexts? {
        guard let movies else { return nil }
        let names = ["movieId", "title", "genres"]
        var reader = try Self.reader(of: movies, header: names)
        let columns = try reader.columns(names)
        var texts = ItemTexts(of: items)
        while try reader.next() {
            let genres = reader.text(columns[2])
            try texts.add(
                title: reader.text(columns[1]),
                categories: genres == "(no genres listed)" ? "" : genres,
                from: reader,
                itemColumn: columns[0]
            )
        }
        return texts
    }

    private static func reader(of file: String, header: [String]) throws(CSVError) -> CSVReader {
        guard file.hasSuffix(".dat") || file.hasSuffix(".dat.gz") else { return try CSVReader(file: file) }
        return try CSVReader(file: file, dialect: .movieLens, header: header)
    }
}
