/// A parameter that a stored model lacks or that has another shape.
public enum ParameterError: Error, Equatable, CustomStringConvertible {
    /// It is not there.
    case missing(String)
    /// It is there with another shape.
    case shape(String, expected: [Int], found: [Int])

    /// What is wrong and what to look at.
    public var description: String {
        switch self {
        case .missing(let name):
            "Parameter '\(name)' is missing. Was the checkpoint written by another system?"
        case .shape(let name, let expected, let found):
            "Parameter '\(name)' has shape \(found), the recipe asks for \(expected). Was it trained with another recipe?"
        }
    }
}
