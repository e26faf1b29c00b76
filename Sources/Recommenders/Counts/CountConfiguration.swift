/// The settings of the scores that counting adds to a system's own; the field `counts` of recipes.
public struct CountConfiguration: ConfigurationSection {
    /// Whether counts are made and their weights fitted after the training.
    public var enabled = false
    /// How many of an item's followers are kept: the items that came directly after it.
    public var followers = 100
    /// How many of an item's neighbours are kept: the items that occur near it in sequences.
    public var neighbours = 50
    /// How many of the most popular items have a term of their own.
    public var popular = 200

    /// The defaults.
    public init() {}

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(1...10_000, contains: followers, key: prefix + "followers")
        try ConfigurationError.require(1...10_000, contains: neighbours, key: prefix + "neighbours")
        try ConfigurationError.require(0...10_000, contains: popular, key: prefix + "popular")
    }
}
