public import Kernels

// Layers over ragged sequences. Each kernel computes its own gradients.

extension Variable {
    /// The interests of ragged histories by additive attention; see ``AdditiveAttention``.
    ///
    /// - Parameters:
    ///   - items: Item rows, `[U, d]`.
    ///   - projection: Their projections, `[U, a]`.
    ///   - position: Projected positions, `[N, a]`.
    ///   - heads: One row of weights for each head, `[K, a]`.
    ///   - histories: Row numbers in `items`.
    ///   - firstPosition: The positional row of each history's oldest item.
    /// - Returns: `[B, K d]`.
    public static func attention(
        items: Variable,
        projection: Variable,
        position: Variable,
        heads: Variable,
        histories: RaggedRows,
        firstPosition: [Int]
    ) -> Variable {
        let inputs = AdditiveAttention.Inputs(
            items: items.value,
            projection: projection.value,
            position: position.value,
            heads: heads.value
        )
        let (interests, weights) = AdditiveAttention.forward(
            inputs,
            histories: histories,
            firstPosition: firstPosition
        )
        return items.tape.record(interests, inputs: [items, projection, position, heads]) { gradient, tape in
            let parts = AdditiveAttention.gradients(
                inputs,
                histories: histories,
                firstPosition: firstPosition,
                weights: weights,
                gradient: gradient
            )
            tape.accumulate(items, parts.items)
            tape.accumulate(projection, parts.projection)
            tape.accumulate(position, parts.position)
            tape.accumulate(heads, parts.heads)
        }
    }

    /// Layer normalisation of rows with trained gain and bias `[1, d]`; see ``LayerNorm``.
    public func layerNormalised(gain: Variable, bias: Variable) -> Variable {
        let (output, trace) = LayerNorm.forward(value, gain: gain.value, bias: bias.value)
        return tape.record(output, inputs: [self, gain, bias]) { [a = self] gradient, tape in
            let parts = LayerNorm.gradients(trace, gain: gain.value, gradient: gradient)
            tape.accumulate(a, parts.x)
            tape.accumulate(gain, parts.gain)
            tape.accumulate(bias, parts.bias)
        }
    }

    /// Self-attention over sequences that are stored one after another; see ``SelfAttention``.
    ///
    /// - Parameters:
    ///   - queries: `[P, d]`.
    ///   - keys: `[P, d]`.
    ///   - values: `[P, d]`.
    ///   - reversedBias: The bias of each head and distance, the largest distance first, `[h, N]`, or `[h, 2N - 1]`
    ///     when not causal.
    ///   - offsets: Where each sequence starts, and the end of the last.
    ///   - isCausal: Whether a position sees only itself and those before it.
    ///   - weighting: How logits become weights.
    /// - Returns: `[P, d]`.
    public static func selfAttention(
        queries: Variable,
        keys: Variable,
        values: Variable,
        reversedBias: Variable,
        offsets: [Int],
        isCausal: Bool,
        weighting: SelfAttention.Weighting = .softmax
    ) -> Variable {
        let inputs = SelfAttention.Inputs(
            queries: queries.value,
            keys: keys.value,
            values: values.value,
            reversedBias: reversedBias.value,
            isCausal: isCausal,
            weighting: weighting
        )
        let (output, trace) = SelfAttention.forward(inputs, offsets: offsets)
        return queries.tape.record(output, inputs: [queries, keys, values, reversedBias]) { gradient, tape in
            let parts = SelfAttention.gradients(inputs, offsets: offsets, trace: trace, gradient: gradient)
            tape.accumulate(queries, parts.queries)
            tape.accumulate(keys, parts.keys)
            tape.accumulate(values, parts.values)
            tape.accumulate(reversedBias, parts.reversedBias)
        }
    }

    /// The states of a gated recurrent unit over sequences that are stored one after another, `[P, d]`; see
    /// ``GatedRecurrence``.
    ///
    /// - Parameters:
    ///   - recurrent: `[d, 3 d]`.
    ///   - bias: `[1, 3 d]`.
    ///   - offsets: Where each sequence starts, and the end of the last.
    /// - Returns: `[P, d]`, from inputs `[P, 3 d]`.
    public func gatedRecurrence(recurrent: Variable, bias: Variable, offsets: [Int]) -> Variable {
        let (states, trace) = GatedRecurrence.forward(
            value,
            recurrent: recurrent.value,
            bias: bias.value,
            offsets: offsets
        )
        return tape.record(states, inputs: [self, recurrent, bias]) { [a = self] gradient, tape in
            let parts = GatedRecurrence.gradients(trace, recurrent: recurrent.value, gradient: gradient)
            tape.accumulate(a, parts.inputs)
            tape.accumulate(recurrent, parts.recurrent)
            tape.accumulate(bias, parts.bias)
        }
    }
}
