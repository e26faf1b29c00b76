/// Hyper-parameters of a system that turns histories of some length into vectors of some length.
public protocol VectorConfiguration: ModelConfiguration {
    /// Length of item rows, without a bias.
    var dimension: Int { get }
}

extension VectorConfiguration {
    /// Throws for a length out of range.
    func validateLengths(prefix: String) throws(ConfigurationError) {
        try ConfigurationError.require(2...1024, contains: dimension, key: prefix + "dimension")
        try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
    }
}
