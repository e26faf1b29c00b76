import Foundation

/// Converts Amazon reviews to a folder with `events.csv` and, given the products' metadata, `items.csv`.
///
/// Three forms are known. JSON Lines of 2014 and 2018 have `reviewerID`, `asin`, `overall` and `unixReviewTime`; those
/// of 2023 have `user_id`, `parent_asin`, `rating` and `timestamp` in milliseconds, as do its ratings with a header.
/// Ratings without a header are user, item, rating, time (2014), or item, user, rating, time (2018). Files may be
/// compressed. A review counts as an interaction, whatever its rating, unless `minimumRating` says otherwise. Times of
/// 2014 and 2018 are days, so ties keep the file's order.
public struct AmazonReviewsImport: Sendable {
    /// The reviews, or the ratings alone.
    public var reviews: String
    /// The products, JSON Lines; or nil.
    public var metadata: String?
    /// Whether the first column of ratings without a header is the item.
    public var itemFirst = false
    /// The lowest rating that counts as an interaction; by default every rating counts.
    public var minimumRating = 0.0
    /// Keep users and items with as many interactions among each other; 0 and 1 keep all.
    public var core = 5

    /// An import with the default filters.
    public init(reviews: String, metadata: String? = nil) {
        self.reviews = reviews
        self.metadata = metadata
    }

    /// Reads the files and writes the folder.
    ///
    /// - Parameter folder: The target folder; missing or empty.
    /// - Returns: Counts.
    /// - Throws: `CSVError` with file, line and column, ``ImportError`` or `SystemCallError`; leaves nothing behind.
    /// - Complexity: O(n r) in reviews and rounds of the core; 24 bytes a review plus the ids.
    public func run(into folder: String) throws -> ImportSummary {
        try DatasetFolder.requireFree(folder)
        var (log, rows) = try readReviews()
        log.keepCore(core)
        let texts = try metadata.map { try Self.texts(of: log.items, from: $0) }
        return try DatasetFolder.create(folder, source: reviews, rows: rows, users: log.users, items: log.items) {
            try $0.write(log.interactions, as: "events")
            if let texts { try $0.writeItems(texts) }
        }
    }

    private func readReviews() throws(CSVError) -> (InteractionLog, rows: Int) {
        var reader = try CSVReader(file: reviews)
        let names: [String]
        if reader.header.contains("reviewerID") {
            names = ["reviewerID", "asin", "overall", "unixReviewTime"]
        } else if reader.header.contains("user_id") {
            let item = reader.header.contains("parent_asin") ? "parent_asin" : "asin"
            names = ["user_id", item, "rating", "timestamp"]
        } else {
            guard reader.header.count == 4 else {
                let named = ["reviewerID", "asin", "overall", "unixReviewTime"]
                throw .missingColumns(named, file: reviews, found: reader.header)
            }
            names = ["user", "item", "rating", "time"]
            let header = itemFirst ? ["item", "user", "rating", "time"] : names
            reader = try CSVReader(file: reviews, dialect: .csv, header: header)
        }
        let columns = try reader.columns(names)
        var (log, rows) = (InteractionLog(), 0)
        while try reader.next() {
            rows += 1
            let (user, item) = (try reader.id(columns[0]), try reader.id(columns[1]))
            let (rating, time) = (try reader.number(columns[2]), try reader.exactNumber(columns[3]))
            if rating >= minimumRating { log.append(user: user, item: item, timestamp: time) }
        }
        return (log, rows)
    }

    /// Titles, categories, brands and prices; the first record of a product counts.
    private static func texts(of items: InternTable, from file: String) throws(CSVError) -> ItemTexts {
        var reader = try CSVReader(file: file)
        let header = reader.header
        func column(_ names: String...) -> Int? { names.lazy.compactMap { header.firstIndex(of: $0) }.first }
        guard let id = column("parent_asin", "asin") else {
            throw .missingColumns(["asin"], file: file, found: header)
        }
        let (title, categories) = (column("title"), column("categories", "category"))
        let (brand, price) = (column("brand", "store"), column("price"))
        var texts = ItemTexts(of: items)
        while try reader.next() {
            guard let item = items.number(of: try reader.id(id)), texts.titles[item] == nil else { continue }
            texts.titles[item] = title.map { reader.text($0) } ?? ""
            if let categories { texts.categories[item] = Self.categories(in: reader, column: categories) }
            if let brand, !reader.isNested(brand) { texts.set("brand:keyword", reader.text(brand), of: item) }
            if let price { texts.set("price:number", Self.price(reader.text(price)), of: item) }
        }
        return texts
    }

    /// The names of a list, or of a list of lists, without the top level in front.
    ///
    /// All products of a file have the same top level, so it is written last: an item's first category is its main one.
    private static func categories(in reader: borrowing CSVReader, column: Int) -> String {
        let text = reader.text(column)
        var names: [String] = []
        if reader.isNested(column) {
            let lists = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [Any] ?? []
            for list in lists { names += (list as? [Any] ?? [list]).compactMap { $0 as? String } }
        } else {
            names = text.split(separator: "|").map(String.init)
        }
        var seen: Set<String> = []
        let unique = names.map { $0.replacing("|", with: "/") }.filter { !$0.isEmpty && seen.insert($0).inserted }
        return (unique.dropFirst() + unique.prefix(1)).joined(separator: "|")
    }

    /// The digits of a price such as `$1,299.00`; empty for a range or other text.
    private static func price(_ text: String) -> String {
        let digits = text.filter { !"$, ".contains($0) }
        return DecimalNumber(Array(digits.utf8)[...])?.nearestDouble == nil ? "" : digits
    }
}
