/// Why a checkpoint cannot be served.
public enum SnapshotError: Error, Equatable, CustomStringConvertible {
    /// The checkpoint has no items.
    case emptyCatalogue
    /// This build does not serve the checkpoint's system.
    case unknownSystem(String)
    /// The recipe that is stored with the version cannot be read.
    case badRecipe(String)
    /// Two items have the same id.
    case duplicateIdentifier(String)
    /// Two categories have the same name.
    case duplicateCategory(String)
    /// Two parts of the checkpoint disagree about a size.
    case countMismatch(part: String, expected: Int, found: Int)
    /// A vector holds NaN or infinity.
    case nonFiniteItem(id: String, column: Int)
    /// The popularity list names an item twice or one that does not exist.
    case badPopularity(position: Int, item: Int32)
    /// An item's category does not exist.
    case badCategory(id: String, category: Int32)
    /// An attribute contradicts the catalogue.
    case badAttribute(String)
    /// SEARCH is set, and its servers do not have the version.
    case notSearchable(String)
    /// The servers of SEARCH do not answer now.
    case searchUnavailable(String)
    /// The checkpoint could be loaded, but its answers are wrong.
    case failedProbe(String)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .emptyCatalogue:
            "The checkpoint has no items; train again with at least one event."
        case .unknownSystem(let system):
            "The checkpoint holds system '\(system)', which this build does not serve; use a newer build."
        case .badRecipe(let reason):
            "This build cannot serve the recipe stored with the version: \(reason)"
        case .duplicateIdentifier(let id):
            "Item id '\(id)' occurs twice in the catalogue; ids must be unique, publish the version again."
        case .duplicateCategory(let name):
            "Category '\(name)' occurs twice in the catalogue; names must be unique, publish the version again."
        case .countMismatch(let part, let expected, let found):
            "\(part) is \(found), but the rest of the checkpoint says \(expected); publish the version again."
        case .nonFiniteItem(let id, let column):
            "The vector of item '\(id)' is not finite at column \(column); training diverged, use an earlier version."
        case .badPopularity(let position, let item):
            "The popularity list's entry \(position) is item \(item), which is unknown or listed twice; publish the "
                + "version again."
        case .badCategory(let id, let category):
            "Item '\(id)' has category number \(category), which does not exist; publish the version again."
        case .badAttribute(let reason):
            "The catalogue's \(reason); publish the version again."
        case .notSearchable(let reason), .searchUnavailable(let reason):
            reason
        case .failedProbe(let reason):
            "The loaded checkpoint failed its probe: \(reason); use an earlier version."
        }
    }
}
