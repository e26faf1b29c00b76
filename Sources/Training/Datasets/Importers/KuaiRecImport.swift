/// Converts KuaiRec's `big_matrix.csv` to a folder with `events.csv` and, given files about the videos, `items.csv`.
///
/// A row of the matrix is one showing of a video. It counts as an interaction when the user watched at least twice
/// the video's length. The data set's authors take this as liking the video (Gao et al., "KuaiRec: A Fully-observed
/// Dataset and Insights for Evaluating Recommender Systems", CIKM 2022; second-hand). Set `minimumWatchRatio` to 0 to
/// keep every showing. Rows without a timestamp cannot be ordered and are dropped. Rare videos, then rare users, are
/// dropped once. Repeated showings of a video in a row are kept.
public struct KuaiRecImport: Sendable {
    /// `big_matrix.csv` or `small_matrix.csv`.
    public var matrix: String
    /// `item_categories.csv`, with lists such as `[8, 27]` in the column `feat`.
    public var categories: String?
    /// `kuairec_caption_category.csv`, for titles from its column `caption`; it must be well-formed CSV.
    public var captions: String?
    /// The smallest ratio of watch time to video length that counts as an interaction.
    public var minimumWatchRatio = 2.0
    /// Drop videos, then users, with fewer interactions.
    public var minimumInteractions = 5

    /// An import with the default filters.
    public init(matrix: String, categories: String? = nil, captions: String? = nil) {
        self.matrix = matrix
        self.categories = categories
        self.captions = captions
    }

    /// Reads the files and writes the folder.
    ///
    /// - Parameter folder: The target folder; missing or empty.
    /// - Returns: Counts.
    /// - Throws: `CSVError` with file, line and column, ``ImportError`` or `SystemCallError`; leaves nothing behind.
    /// - Complexity: O(n) in rows; 24 bytes an interaction plus the ids.
    public func run(into folder: String) throws -> ImportSummary {
        try DatasetFolder.requireFree(folder)
        var (log, rows) = try readMatrix()
        let texts = try readTexts(of: log.items)
        log.dropRare(below: minimumInteractions)
        return try DatasetFolder.create(folder, source: matrix, rows: rows, users: log.users, items: log.items) {
            try $0.write(log.interactions, as: "events")
            if let texts { try $0.writeItems(texts) }
        }
    }

    private func readMatrix() throws(CSVError) -> (InteractionLog, rows: Int) {
        var reader = try CSVReader(file: matrix)
        let columns = try reader.columns(["user_id", "video_id", "timestamp", "watch_ratio"])
        var (log, rows) = (InteractionLog(), 0)
        while try reader.next() {
            rows += 1
            let (user, item) = (try reader.id(columns[0]), try reader.id(columns[1]))
            guard try reader.number(columns[3]) >= minimumWatchRatio, !reader.field(columns[2]).isEmpty else {
                continue
            }
            log.append(user: user, item: item, timestamp: try reader.exactNumber(columns[2]))
        }
        return (log, rows)
    }

    private func readTexts(of items: InternTable) throws(CSVError) -> ItemTexts? {
        guard categories != nil || captions != nil else { return nil }
        var texts = ItemTexts(of: items)
        if let categories {
            var reader = try CSVReader(file: categories)
            let columns = try reader.columns(["video_id", "feat"])
            while try reader.next() {
                let names = try Self.names(in: reader, column: columns[1])
                try texts.add(categories: names, from: reader, itemColumn: columns[0])
            }
        }
        if let captions {
            var reader = try CSVReader(file: captions)
            let columns = try reader.columns(["video_id", "caption"])
            while try reader.next() {
                try texts.add(title: reader.text(columns[1]), from: reader, itemColumn: columns[0])
            }
        }
        return texts
    }

    /// `8|27` for a field `[8, 27]`.
    private static func names(in reader: borrowing CSVReader, column: Int) throws(CSVError) -> String {
        let text = reader.text(column)
        guard text.count >= 2, text.hasPrefix("["), text.hasSuffix("]") else {
            throw .malformed(at: reader.location(column), reason: "a list such as [8, 27] was expected")
        }
        return text.dropFirst().dropLast().split { $0 == "," || $0 == " " }.joined(separator: "|")
    }
}
