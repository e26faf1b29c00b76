/// Hyper-parameters of a system with a Transformer over item rows.
public protocol TransformerConfiguration: ModelConfiguration {
    /// Length of item rows.
    var dimension: Int { get }
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
        try ConfigurationError.require(2...1024, contains: dimension, key: prefix + "dimension")
        try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
        try ConfigurationError.require(1...16, contains: blocks, key: prefix + "blocks")
        try ConfigurationError.require(1...64, contains: heads, key: prefix + "heads")
        try ConfigurationError.require(1...8192, contains: hidden, key: prefix + "hidden")
        guard dimension % heads == 0 else {
            throw .outOfRange(key: prefix + "heads", value: "\(heads)", allowed: "a divisor of \(dimension)")
        }
    }

    /// Throws for a size out of range of a system that also embeds step numbers, by as many sines as cosines.
    func validateSizesWithSteps(prefix: String) throws(ConfigurationError) {
        try validateSizes(prefix: prefix)
        guard dimension % 2 == 0 else {
            throw .outOfRange(key: prefix + "dimension", value: "\(dimension)", allowed: "an even number")
        }
    }
}
