/// A parameter that a stored model lacks, or that has another shape or an unusable element.
public enum ParameterError: Error, Equatable, CustomStringConvertible {
    /// It is not there.
    case missing(String)
    /// It is there with another shape.
    case shape(String, expected: [Int], found: [Int])
    /// The parameters are those of another number of items than the catalogue's.
    case itemCount(expected: Int, found: Int)
    /// An element that the system cannot calculate with.
    case value(String, row: Int, column: Int, found: String, allowed: String)

    /// What is wrong and what to look at.
    public var description: String {
        switch self {
        case .missing(let name):
            "Parameter '\(name)' is missing. Was the checkpoint written by another system?"
        case .shape(let name, let expected, let found):
            "Parameter '\(name)' has shape \(found), the recipe asks for \(expected). Was it trained with another recipe?"
        case .itemCount(let expected, let found):
            "The parameters describe \(found) items, the catalogue has \(expected). Was the catalogue replaced?"
        case .value(let name, let row, let column, let found, let allowed):
            "Parameter '\(name)' has \(found) in row \(row), column \(column); it must be \(allowed). Train the version again."
        }
    }
}
