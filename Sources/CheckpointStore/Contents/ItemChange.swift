/// A change of one item that needs no new version: an item that is added, gets another vector, or is taken out.
///
/// The store keeps the newest change of each item. A version published after the change that knows the item has learned
/// from newer data, so there the change does not count; see ``applies(to:knowsItem:)``.
public struct ItemChange: Codable, Sendable, Equatable {
    /// What the item is from now on.
    public struct Content: Codable, Sendable, Equatable {
        /// The unit vector in the space of the change's version; nil for an item that is given by its likeness alone.
        public var vector: [Float]?
        /// Items that it is like, by their ids, the likest first.
        ///
        /// Vectors of two versions are not comparable: in another version the item's vector is the normalised mean of
        /// theirs there.
        public var like: [String]
        /// Its title; nil leaves what the catalogue says.
        public var title: String?
        /// Its categories by name; nil leaves what the catalogue says.
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
    /// The item's own id.
    public var item: String
    /// The version that was in service when the change was made.
    public var version: Int
    /// What the item is from now on; nil takes it out.
    public var content: Content?

    /// Describes a change.
    public init(model: String, item: String, version: Int, content: Content?) {
        self.model = model
        self.item = item
        self.version = version
        self.content = content
    }

    /// Whether the change counts in a version of its model.
    ///
    /// - Parameters:
    ///   - version: The version.
    ///   - knowsItem: Whether that version's catalogue holds the item.
    /// - Returns: A removal counts everywhere; content counts unless a newer version knows the item itself.
    public func applies(to version: Int, knowsItem: Bool) -> Bool {
        content == nil || !(knowsItem && version > self.version)
    }
}
