/// Hyper-parameters of a system with a Transformer over item rows.
public protocol TransformerConfiguration: VectorConfiguration {
    /// Blocks.
    var blocks: Int { get }
    /// Attention heads of each block; they divide the dimension.
    var heads: Int { get }
    /// Width of the feed-forward layers.
    var hidden: Int { get }
}

extension TransformerConfiguration {
    /// Throws for a size out of range.
    func validateSizes(prefix: String) throws(ConfigurationError) {
        try validateLengths(prefix: prefix)
        try ConfigurationError.require(1...16, contains: blocks, key: prefix + "blocks")
        try ConfigurationError.require(1...64, contains: heads, key: prefix + "heads")
        try ConfigurationError.require(1...8192, contains: hidden, key: prefix + "hidden")
        guard dimension % heads == 0 else {
            throw .outOfRange(key: prefix + "heads", value: "\(heads)", allowed: "a divisor of \(dimension)")
        }
    }
}
