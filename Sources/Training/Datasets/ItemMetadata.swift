public import CheckpointStore

/// Titles and categories of items, as a file gives them.
public struct ItemMetadata: Sendable, Equatable {
    /// Category names, in order of first appearance.
    public let categoryNames: [String]
    private let titles: [String]
    private let categories: [[Int32]]
    private let items: ItemVocabulary

    /// Reads a CSV file with the columns `item`, `title` and `categories`, the last split at `|`.
    ///
    /// - Throws: `CSVError`, also when an item is listed twice.
    public static func load(items path: String) throws(CSVError) -> ItemMetadata {
        var reader = try CSVReader(file: path)
        let columns = try reader.columns(["item", "title", "categories"])
        var (items, names) = (ItemVocabulary(), ItemVocabulary())
        var titles: [String] = []
        var categories: [[Int32]] = []
        while try reader.next() {
            let number = items.intern(try reader.id(columns[0]))
            guard number == titles.count else {
                throw .duplicateID(at: reader.location(columns[0]), column: "item", id: reader.text(columns[0]))
            }
            titles.append(reader.text(columns[1]))
            var own: [Int32] = []
            for name in reader.field(columns[2]).split(separator: UInt8(ascii: "|")) {
                let category = names.intern(name)
                if !own.contains(category) { own.append(category) }
            }
            categories.append(own)
        }
        guard items.count > 0 else { throw .empty(file: path) }
        return ItemMetadata(categoryNames: names.ids, titles: titles, categories: categories, items: items)
    }

    /// The catalogue of a vocabulary; items that the file did not list have an empty title and no category.
    public func catalogue(of vocabulary: ItemVocabulary) -> Catalogue {
        let rows = vocabulary.ids.map { items.number(of: $0) }
        return Catalogue(
            ids: vocabulary.ids,
            titles: rows.map { $0.map { titles[Int($0)] } ?? "" },
            categoryNames: categoryNames,
            categories: rows.map { $0.map { categories[Int($0)] } ?? [] }
        )
    }
}
