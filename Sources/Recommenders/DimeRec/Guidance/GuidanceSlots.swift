/// The rules that fill the K slots of rule-based guidance in service (paper, section 4.2).
///
/// Training and evaluation always fill the slots with the K newest items of the history (equation 15). In service, some
/// of the first slots may hold other items instead, in this order: items for exploration, popular items, and the most
/// popular items of the history. The newest items of the history keep the last slots, oldest first.
public struct GuidanceSlots: ConfigurationSection {
    /// Slots for promising items that users rarely see.
    public var exploring = 0
    /// Slots for the most popular items of the catalogue that the history does not have.
    public var popular = 0
    /// Slots for the most popular items of the history.
    public var historyPopular = 0

    /// Only the newest items.
    public init() {}

    /// How many slots do not hold the newest items.
    public var count: Int { exploring + popular + historyPopular }

    /// The values of each number.
    public static let range = 0...64

    /// Throws for a value out of range.
    public func validate(prefix: String) throws(ConfigurationError) {
        for (name, number) in [
            ("exploring", exploring), ("popular", popular), ("historyPopular", historyPopular),
        ] {
            try ConfigurationError.require(Self.range, contains: number, key: prefix + name)
        }
    }
}
