import Autodiff

/// The inverse temperature of the softmax losses.
enum LogitScale {
    case fixed(Float)
    case trained(Variable)

    func applied(to queries: Variable) -> Variable {
        switch self {
        case .fixed(let scale): queries.scaled(by: scale)
        case .trained(let scale): queries.scaled(by: scale)
        }
    }
}
