import CKernels

/// The newest states of a causal Transformer, or of transduction units (HSTU), over one history, laid out for serving.
///
/// A stack of ``LayerNorm``, ``SelfAttention`` and dense layers over the whole history gives one state per item; this
/// type computes the last K states. Short histories get zero rows in front. The last block computes only keys and
/// values for the other states, because nothing reads their outputs. The first block's projections depend on the item
/// alone, since the biases depend on distances. Tables of them would still not pay: projecting 70 items takes about
/// as long as loading 70 rows from memory.
public struct HistoryTransformer: InterestExtractor {
    /// The weights of a block: attention, `x += mix(attention(norm(x)))`, and the rest of the block.
    public struct Block: Sendable {
        /// The part of a block besides attention.
        public enum Rest: Sendable {
            /// Two layers after a Transformer's attention: `x += contract(expand(norm(x)))`.
            case feed(norm: NormLayer, expand: DenseLayer, contract: DenseLayer)
            /// A transduction unit's gate: the normalised heads' outputs, times `gate(norm(x))`, are the input of `mix`.
            case gate(DenseLayer, norm: NormLayer)
        }

        let attentionNorm: NormLayer
        let queries, keys, values, mix: DenseLayer
        let reversedBias: Matrix
        let weighting: SelfAttention.Weighting
        let rest: Rest

        /// Groups the weights.
        ///
        /// - Parameters:
        ///   - attentionNorm: Normalises the input of attention.
        ///   - projections: Queries, keys and values, `[d, d]` each.
        ///   - reversedBias: The bias of each head and distance, the largest distance first, `[h, N]`.
        ///   - weighting: How attention's logits become weights.
        ///   - mix: Applied to the heads' joined outputs, `[d, d]`.
        ///   - rest: The part of the block besides attention.
        public init(
            attentionNorm: NormLayer,
            projections: (queries: DenseLayer, keys: DenseLayer, values: DenseLayer),
            reversedBias: Matrix,
            weighting: SelfAttention.Weighting,
            mix: DenseLayer,
            rest: Rest
        ) {
            self.attentionNorm = attentionNorm
            (queries, keys, values) = projections
            self.reversedBias = reversedBias
            self.weighting = weighting
            self.mix = mix
            self.rest = rest
        }

        /// The width of the widest layer besides attention.
        fileprivate var hidden: Int {
            switch rest {
            case .feed(_, let expand, _): expand.outputs
            case .gate(let gate, _): gate.outputs
            }
        }
    }

    private let items: Matrix
    private let scale: Float
    private let blocks: [Block]
    private let norm: NormLayer
    private let stateCount: Int
    private let longest: Int

    /// Lays out the weights.
    ///
    /// - Parameters:
    ///   - items: Unit item rows, `[V, d]`.
    ///   - scale: The factor from an item row to the first block's input.
    ///   - blocks: At least one.
    ///   - norm: Normalises the last block's output.
    ///   - states: The number of newest states to return (K).
    public init(items: Matrix, scale: Float, blocks: [Block], norm: NormLayer, states: Int) {
        let shape = blocks.first?.reversedBias.shape ?? []
        precondition(
            !blocks.isEmpty && blocks.allSatisfy { $0.reversedBias.shape == shape } && items.columns % shape[0] == 0
                && states >= 1,
            "\(blocks.count) blocks, distances \(blocks.map(\.reversedBias.shape)), items \(items.shape), \(states) states"
        )
        self.items = items
        self.scale = scale
        self.blocks = blocks
        self.norm = norm
        stateCount = states
        longest = shape[1]
    }

    /// Scratch memory of one call.
    public struct Scratch: Sendable {
        /// The residual stream.
        fileprivate var states: [Float]
        fileprivate var normed: [Float]
        fileprivate var queries: [Float]
        fileprivate var keys: [Float]
        fileprivate var values: [Float]
        /// The outputs of the attention heads, side by side.
        fileprivate var mixed: [Float]
        fileprivate var hidden: [Float]
        /// The output of a branch, which is added to the states.
        fileprivate var branch: [Float]
        fileprivate var attention: [Float]
    }

    /// Scratch memory for the longest history.
    public func makeScratch() -> Scratch {
        let row = [Float](repeating: 0, count: longest * items.columns)
        let width = items.columns / blocks[0].reversedBias.rows
        let hidden = blocks.map(\.hidden).max() ?? 0
        return Scratch(
            states: row,
            normed: row,
            queries: row,
            keys: row,
            values: row,
            mixed: row,
            hidden: [Float](repeating: 0, count: longest * hidden),
            branch: row,
            attention: [Float](repeating: 0, count: (width + 1) * ((longest + 15) / 16 * 16))
        )
    }

    /// Interests of one history; see ``InterestExtractor/interests(of:scratch:into:at:)``.
    ///
    /// - Complexity: O(n d (d + hidden) + n^2 d) per block; O(n d^2 + K d (n + hidden)) for the last block.
    public func interests(
        of history: ArraySlice<Int32>,
        scratch: inout Scratch,
        into interests: inout [Float],
        at start: Int
    ) {
        let (n, d) = (history.count, items.columns)
        items.requireHistory(history, longest: longest, count: stateCount * d, at: start, in: interests)
        let newest = min(stateCount, n)
        items.copyRows(history, into: &scratch.states)
        unsafe ck_scale(scale, &scratch.states, n * d)
        for (number, block) in blocks.enumerated() {
            let count = number == blocks.count - 1 ? newest : n
            project(block, rows: n, newest: count, &scratch)
            attend(block, rows: n, newest: count, &scratch)
            if case .feed(let norm, let expand, let contract) = block.rest {
                feed(norm, expand, contract, rows: count, &scratch)
            }
        }
        let missing = (stateCount - newest) * d
        for i in 0..<missing { interests[start + i] = 0 }
        norm.apply(rows: newest, of: scratch.states, into: &interests, at: start + missing)
    }

    /// Computes the keys and values of all rows, and the queries and gates of the newest rows.
    private func project(_ block: Block, rows: Int, newest: Int, _ s: inout Scratch) {
        block.attentionNorm.apply(rows: rows, of: s.states, into: &s.normed)
        let first = (rows - newest) * items.columns
        block.queries.apply(rows: newest, of: s.normed, from: first, into: &s.queries)
        if case .gate(let gate, _) = block.rest {
            gate.apply(rows: newest, of: s.normed, from: first, into: &s.hidden)
        }
        block.keys.apply(rows: rows, of: s.normed, into: &s.keys)
        block.values.apply(rows: rows, of: s.normed, into: &s.values)
    }

    /// Adds the attention branch to the newest rows, which move to the front of the states.
    private func attend(_ block: Block, rows: Int, newest: Int, _ s: inout Scratch) {
        let (d, heads) = (items.columns, block.reversedBias.rows)
        block.reversedBias.withPointer { bias in
            unsafe ck_newest_attention(
                s.queries,
                s.keys,
                s.values,
                bias,
                rows,
                newest,
                longest,
                d,
                heads,
                block.weighting == .pointwise ? 1 : 0,
                &s.attention,
                &s.mixed
            )
        }
        if case .gate(_, let norm) = block.rest {
            norm.apply(rows: newest, of: s.mixed, into: &s.branch)
            for i in 0..<newest * d { s.mixed[i] = s.branch[i] * s.hidden[i] }
        }
        block.mix.apply(rows: newest, of: s.mixed, into: &s.branch)
        if newest < rows {
            let first = (rows - newest) * d
            for i in 0..<newest * d { s.states[i] = s.states[first + i] }
        }
        unsafe ck_axpy(1, s.branch, &s.states, newest * d)
    }

    private func feed(
        _ norm: NormLayer,
        _ expand: DenseLayer,
        _ contract: DenseLayer,
        rows: Int,
        _ s: inout Scratch
    ) {
        norm.apply(rows: rows, of: s.states, into: &s.normed)
        expand.apply(rows: rows, of: s.normed, into: &s.hidden)
        contract.apply(rows: rows, of: s.hidden, into: &s.branch)
        unsafe ck_axpy(1, s.branch, &s.states, rows * items.columns)
    }
}
