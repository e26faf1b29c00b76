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

    /// Drops rare users and rare items until nothing changes: everybody left has at least `minimum` interactions with
    /// the others (a k-core).
    mutating func keepCore(_ minimum: Int) {
        var before = -1
        while interactions.count != before {
            before = interactions.count
            dropRare(below: minimum)
        }
    }

    /// Drops the interactions that satisfy a condition, which is asked once for each in their order.
    mutating func removeAll(where isDropped: (Interaction) -> Bool) { interactions.removeAll(where: isDropped) }

    private mutating func drop(below minimum: Int, of count: Int, by id: KeyPath<Interaction, Int32>) {
        guard minimum > 1 else { return }
        var counts = [Int](repeating: 0, count: count)
        for interaction in interactions { counts[Int(interaction[keyPath: id])] += 1 }
        interactions.removeAll { counts[Int($0[keyPath: id])] < minimum }
    }
}

/// Titles, categories and further attributes of the items that interactions name.
struct ItemTexts {
    private let items: InternTable
    var titles: [Int32: String] = [:]
    /// Names with `|` between them.
    var categories: [Int32: String] = [:]
    /// Values by the header of an attribute, such as `price:number`, in the order of the file to write.
    private(set) var attributes: [(header: String, values: [Int32: String])] = []

    /// No text yet for any of the items.
    init(of items: InternTable) {
        self.items = items
    }

    /// Stores a value of an attribute of an item.
    mutating func set(_ header: String, _ value: String, of item: Int32) {
        if !attributes.contains(where: { $0.header == header }) { attributes.append((header, [:])) }
        for place in attributes.indices where attributes[place].header == header {
            attributes[place].values[item] = value
        }
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
