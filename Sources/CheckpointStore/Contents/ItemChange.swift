/// A change of one item without a new version: the item is added, replaced or removed.
///
/// The store keeps the newest change of each item. A version that was published later and knows the item learned
/// from newer data, so it skips the change; see ``applies(to:knowsItem:)``.
public struct ItemChange: Codable, Sendable, Equatable {
    /// The item's new content.
    public struct Content: Codable, Sendable, Equatable {
        /// The unit vector in the space of the change's version; nil for an item with only similar items.
        public var vector: [Float]?
        /// The ids of similar items, most similar first.
        ///
        /// Vectors of two versions are not comparable. So in another version the item's vector is the normalised
        /// mean of the similar items' vectors there.
        public var like: [String]
        /// The title; nil keeps the catalogue's.
        public var title: String?
        /// The category names; nil keeps the catalogue's.
        public var categories: [String]?

        /// Describes an item.
        public init(vector: [Float]? = nil, like: [String] = [], title: String? = nil, categories: [String]? = nil) {
            self.vector = vector
            self.like = like
            self.title = title
            self.categories = categories
        }
    }

    /// The model whose catalogue changes.
    public var model: String
    /// The item's id in the catalogue.
    public var item: String
    /// The version that was in service when the change was made.
    public var version: Int
    /// The item's new content; nil removes it.
    public var content: Content?

    /// Describes a change.
    public init(model: String, item: String, version: Int, content: Content?) {
        self.model = model
        self.item = item
        self.version = version
        self.content = content
    }

    /// Whether a version of the model applies the change.
    ///
    /// - Parameters:
    ///   - version: The version.
    ///   - knowsItem: Whether that version's catalogue holds the item.
    /// - Returns: A removal counts everywhere; content counts unless a newer version knows the item itself.
    public func applies(to version: Int, knowsItem: Bool) -> Bool {
        content == nil || !(knowsItem && version > self.version)
    }
}

/// The numbers of a model's newest change before and after changes were recorded.
public struct RecordedChanges: Sendable, Equatable {
    /// The number before, or 0.
    public let previous: Int
    /// The number after.
    public let newest: Int

    /// Groups the two.
    public init(previous: Int, newest: Int) {
        self.previous = previous
        self.newest = newest
    }
}
