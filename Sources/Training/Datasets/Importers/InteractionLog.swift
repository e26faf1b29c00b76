/// One interaction; its user and item are numbers in their id tables.
struct Interaction {
    var user: Int32
    var item: Int32
    var timestamp: Timestamp
}

/// Interactions in a raw file's order, their ids numbered by first appearance: 24 bytes each, and every id once.
struct InteractionLog {
    private(set) var users = InternTable()
    private(set) var items = InternTable()
    private(set) var interactions: [Interaction] = []

    mutating func append(user: ArraySlice<UInt8>, item: ArraySlice<UInt8>, timestamp: Timestamp) {
        let (user, item) = (users.insert(user).number, items.insert(item).number)
        interactions.append(Interaction(user: user, item: item, timestamp: timestamp))
    }

    /// Drops rare items, then rare users: items with fewer than `minimum` interactions, then users with fewer than
    /// `minimum` of the remaining ones.
    ///
    /// Each step runs once, as in ComiRec's preprocessing. Dropped users may thus leave an item below the minimum.
    mutating func dropRare(below minimum: Int) {
        drop(below: minimum, of: items.count, by: \.item)
        drop(below: minimum, of: users.count, by: \.user)
    }

    private mutating func drop(below minimum: Int, of count: Int, by id: KeyPath<Interaction, Int32>) {
        guard minimum > 1 else { return }
        var counts = [Int](repeating: 0, count: count)
        for interaction in interactions { counts[Int(interaction[keyPath: id])] += 1 }
        interactions.removeAll { counts[Int($0[keyPath: id])] < minimum }
    }
}

/// Titles and categories of the items that interactions name.
struct ItemTexts {
    private let items: InternTable
    private(set) var titles: [Int32: String] = [:]
    /// Names with `|` between them.
    private(set) var categories: [Int32: String] = [:]

    /// No text yet for any of the items.
    init(of items: InternTable) {
        self.items = items
    }

    /// Stores the title and categories of a row's item; ignores items without interactions, rejects duplicates.
    mutating func add(
        title: String? = nil,
        categories: String? = nil,
        from reader: borrowing CSVReader,
        itemColumn column: Int
    ) throws(CSVError) {
        guard let item = items.number(of: try reader.id(column)) else { return }
        let isTitleKnown = title != nil && titles[item] != nil
        guard !isTitleKnown, categories == nil || self.categories[item] == nil else {
            throw .duplicateID(at: reader.location(column), column: reader.header[column], id: reader.text(column))
        }
        if let title { titles[item] = title }
        if let categories { self.categories[item] = categories }
    }
}
