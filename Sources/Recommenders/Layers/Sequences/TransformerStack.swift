import Autodiff
import Kernels

/// Transformer blocks one after another over sequences that are stored one after another.
struct TransformerStack: Sendable {
    /// Dropout of the two additions of each block, numbered block after block.
    struct Masks {
        /// The source of the masks.
        let dropout: Dropout
        /// The layer number of the first addition's mask.
        let first: Int
        /// Positions of each sequence.
        let counts: [Int]
        /// Kept positions of each sequence; nil for one each.
        let keptCounts: [Int]?
    }

    /// The blocks, named `block0`, `block1` and so on.
    let blocks: [TransformerBlock]

    /// Blocks of some sizes.
    ///
    /// - Parameters:
    ///   - configuration: The sizes.
    ///   - longest: The longest sequence (N).
    ///   - sight: The positions that attention uses.
    init(
        _ configuration: some TransformerConfiguration,
        longest: Int,
        sight: TransformerBlock.Sight
    ) {
        blocks = (0..<configuration.blocks).map { index in
            TransformerBlock(
                prefix: "block\(index)",
                dimension: configuration.dimension,
                heads: configuration.heads,
                hidden: configuration.hidden,
                longest: longest,
                sight: sight
            )
        }
    }

    /// The parameters.
    var layout: ParameterLayout {
        var layout: ParameterLayout = [:]
        for block in blocks { layout.add(block.layout) }
        return layout
    }

    /// The last block's output at the kept positions, `[kept, d]`.
    ///
    /// - Parameters:
    ///   - x: The first block's input, `[P, d]`.
    ///   - offsets: Where each sequence starts, and the end of the last.
    ///   - kept: The positions whose output is needed.
    ///   - masks: Dropout; nil when not training.
    ///   - parameters: The set that holds the weights.
    /// - Returns: A row for each position of `kept`.
    func output(
        _ x: Variable,
        offsets: [Int],
        kept: [Int32],
        masks: Masks?,
        parameters: ParameterSet
    ) -> Variable {
        var x = x
        for (index, block) in blocks.enumerated() {
            let isLast = index == blocks.count - 1
            x = block.output(
                x,
                offsets: offsets,
                kept: isLast ? kept : nil,
                dropout: masks.map { masks in
                    {
                        masks.dropout.mask(
                            masks.first + 2 * index + $0,
                            width: block.dimension,
                            counts: isLast ? masks.keptCounts : masks.counts
                        )
                    }
                },
                parameters: parameters
            )
        }
        return x
    }
}
