/// A stored parameter that is missing, or has a wrong shape or an invalid element.
public enum ParameterError: Error, Equatable, CustomStringConvertible {
    /// The parameter is missing.
    case missing(String)
    /// The parameter has a wrong shape.
    case shape(String, expected: [Int], found: [Int])
    /// The parameters and the catalogue differ in the number of items.
    case itemCount(expected: Int, found: Int)
    /// An element has an invalid value.
    case value(String, row: Int, column: Int, found: String, allowed: String)

    /// The problem and a hint at its cause.
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
