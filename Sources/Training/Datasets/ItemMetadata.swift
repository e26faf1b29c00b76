public import CheckpointStore

/// Titles, categories and further attributes of items, read from an items file.
public struct ItemMetadata: Sendable {
    /// Category names, in order of first appearance.
    public let categoryNames: [String]
    /// Notes for the user: the columns that were recognised, unless the file has the standard ones.
    public let notes: [String]
    private let titles: [String]
    private let categories: [[Int32]]
    private let items: ItemVocabulary
    private let attributes: [(AttributeReading, AttributeType)]

    /// Reads a file with a column of items and optional columns of titles and of categories (separated by `|`).
    ///
    /// Columns and delimiter are recognised from the header. Every other column becomes an attribute.
    ///
    /// - Parameters:
    ///   - path: The file, gzip-compressed if it ends in `.gz`.
    ///   - columns: Explicit names of the columns of titles and of categories; the item column of the log is preferred
    ///     when this file has a column of that name.
    /// - Returns: At least one item.
    /// - Throws: `CSVError`, also when an item is listed twice, or a value does not have its column's declared type.
    public static func load(
        items path: String,
        columns: EventColumns = EventColumns()
    ) throws(CSVError) -> ItemMetadata {
        var named = EventColumns(title: columns.title, categories: columns.categories)
        named.usual = columns.usual
        let request = ColumnRequest(
            roles: [.item, .title, .categories],
            needed: [.item],
            named: named,
            preferred: columns.item.map { [.item: $0] } ?? [:],
            others: [.item: ["id"]]
        )
        var reader = try request.open(path)
        let choice = try ColumnChoice(request, in: &reader)
        let (idColumn, titleColumn, categoryColumn) = (choice.needed(.item), choice[.title], choice[.categories])
        // Older programs knew no foreign names of categories, and made attributes of such columns.
        let foreign = columns.byRole?["categories"] == nil ? ColumnRole.categories.foreignNames : []
        let keepsAttribute = categoryColumn.map { foreign.contains(ColumnRole.normalised(reader.header[$0])) } ?? false
        let taken = [idColumn, titleColumn, keepsAttribute ? nil : categoryColumn].compactMap(\.self)
        var attributes = AttributeReadings(reader.header, without: taken)
        var (items, names) = (ItemVocabulary(), ItemVocabulary())
        var titles: [String] = []
        var categories: [[Int32]] = []
        var lists = CategoryLists()
        while try reader.next() {
            let id = try reader.id(idColumn)
            try reader.requireText(id, idColumn)
            guard items.intern(id) == titles.count else {
                throw .duplicateID(
                    at: reader.location(idColumn),
                    column: reader.header[idColumn],
                    id: String(decoding: id, as: UTF8.self)
                )
            }
            titles.append(titleColumn.map { reader.text($0) } ?? "")
            var own: [Int32] = []
            if let categoryColumn {
                lists.read(reader.field(categoryColumn))
                for name in reader.field(categoryColumn).split(separator: UInt8(ascii: "|")) {
                    let category = names.intern(name)
                    if !own.contains(category) { own.append(category) }
                }
            }
            categories.append(own)
            try attributes.read(reader)
        }
        guard items.count > 0 else { throw .empty(file: path) }
        let finished = attributes.finished(path)
        // A filter on the name in the file would be refused, unless the column is an attribute too.
        let name = categoryColumn.map { reader.header[$0] }.flatMap { $0 == ColumnRole.categories.ownName ? nil : $0 }
        let notes = [
            reader.noteOfLateFields { _ in true }, lists.note.map { "\(path): \($0)" },
            name.map {
                "\(path): filters and rules name the column '\($0)' by its role: 'categories'"
                    + (keepsAttribute ? "; it is an attribute of its own name too" : "")
            },
        ].compactMap(\.self)
        return ItemMetadata(
            categoryNames: names.ids,
            notes: choice.notes(of: path) + notes + finished.notes,
            titles: titles,
            categories: categories,
            items: items,
            attributes: finished.attributes
        )
    }

    /// How many items of a vocabulary the file lists.
    func covered(of vocabulary: ItemVocabulary) -> Int { vocabulary.ids.count { items.number(of: $0) != nil } }

    /// The first item of the file.
    var firstID: String { items.ids.first ?? "" }

    /// The catalogue of a vocabulary; items that the file does not list have an empty title, no category
    /// and no attribute.
    public func catalogue(of vocabulary: ItemVocabulary) -> Catalogue {
        let rows = vocabulary.ids.map { items.number(of: $0) }
        return Catalogue(
            ids: vocabulary.ids,
            titles: rows.map { $0.map { titles[Int($0)] } ?? "" },
            categoryNames: categoryNames,
            categories: rows.map { $0.map { categories[Int($0)] } ?? [] },
            attributes: attributes.map { reading, type in reading.attribute(type, of: rows) }
        )
    }
}

/// Notices lists of categories that another sign than `|` divides.
private struct CategoryLists {
    private var filled = 0
    private var divided = 0
    private var others = 0
    private var example = ""

    mutating func read(_ field: ArraySlice<UInt8>) {
        guard !field.isEmpty else { return }
        filled += 1
        if field.contains(UInt8(ascii: "|")) { divided += 1 }
        guard field.first == UInt8(ascii: "[") || field.contains(where: ",;".utf8.contains) else { return }
        others += 1
        if example.isEmpty { example = String(String(decoding: field, as: UTF8.self).prefix(40)) }
    }

    /// A warning if no field has `|` and half of them have commas, semicolons or brackets; nil otherwise.
    var note: String? {
        guard divided == 0, others * 2 >= max(1, filled) else { return nil }
        return
            "warning: categories such as '\(example)' count as one each, because only '|' divides categories. Write them "
            + "as 'Drama|Comedy' if they are lists"
    }
}
