public import Kernels

extension Variable {
    /// Softmax cross-entropy of one positive per row against that row's negatives.
    ///
    /// `sum_r weight * ( -l_r + log( e^{l_r} + sum_j e^{n_rj + offset} ) )` with `l` the positives' and `n` the
    /// negatives' logits (method, equations 19 and 22). Derivatives: `weight * (p_r - 1)` and `weight * p_rj`.
    ///
    /// - Parameters:
    ///   - positives: Logits of the positives, `[R, 1]`.
    ///   - negatives: Logits of the negatives, `[R, M]`.
    ///   - masked: The excluded columns of `negatives`, by row.
    ///   - negativeOffset: Added to every negative's logit: the one-sided logQ correction `log((V - 1) / M)`.
    ///   - weight: The weight of each row, such as one over the batch size.
    ///   - rowWeights: A factor on each row's weight, `[R]`; nil for 1.
    /// - Returns: A scalar. Unit: nats times weight.
    public static func crossEntropy(
        positives: Variable,
        negatives: Variable,
        masked: RaggedRows? = nil,
        negativeOffset: Float = 0,
        weight: Float,
        rowWeights: [Float]? = nil
    ) -> Variable {
        precondition(
            rowWeights.map { $0.count == positives.value.rows } ?? true,
            "\(rowWeights?.count ?? 0) weights for \(positives.value.rows) rows"
        )
        var probabilities = negatives.value
        // Adding c to every negative equals subtracting it from the positive, which costs one row instead of M.
        let shifted = positives.value.elements.map { $0 - negativeOffset }
        let (losses, positiveProbabilities) = SoftmaxCrossEntropy.apply(
            logits: &probabilities,
            positives: shifted,
            masked: masked
        )
        let sum = losses.indices.reduce(0.0) { $0 + Double(losses[$1]) * Double(rowWeights?[$1] ?? 1) }
        let total = sum * Double(weight)
        let value = Matrix(rows: 1, columns: 1, repeating: Float(total))
        return positives.tape.record(value, inputs: [positives, negatives]) { gradient, tape in
            let scale = weight * gradient[0, 0]
            tape.accumulate(
                positives,
                Matrix(
                    rows: positiveProbabilities.count,
                    columns: 1,
                    elements: positiveProbabilities.enumerated().map {
                        ($0.element - 1) * scale * (rowWeights?[$0.offset] ?? 1)
                    }
                )
            )
            tape.accumulate(negatives) {
                $0.add(rowWeights.map { probabilities.scalingRows(by: $0) } ?? probabilities, scale: scale)
            }
        }
    }

    /// Softmax cross-entropy of one positive per row against classes that all rows share, without a matrix of logits.
    ///
    /// `sum_r weight_r * log( 1 + sum_j e^{<q_r, c_j> + o_j - l_r} )` over the classes that the row does not mask, with
    /// `l` the positives' logits. Several sets of queries, such as DimeRec's guidance and generated vectors, go through
    /// one call: stack their rows, each with its own weight. If an input needs a gradient, all gradients are computed
    /// together with the loss, and kept until the backward pass; see ``SharedSoftmax``.
    ///
    /// - Parameters:
    ///   - queries: The rows `[R, d]`, already scaled.
    ///   - positives: Logits of the positives, `[R, 1]`, corrected by the caller if at all.
    ///   - classes: The class vectors `[M, d]`, already normalised or scaled.
    ///   - packed: The same classes packed, with their offsets and the precision of the products.
    ///   - masked: The excluded classes, by row; nil for none.
    ///   - weights: The weight of each row, R values, such as one over the batch size.
    /// - Returns: A scalar. Unit: nats times weight.
    /// - Complexity: O(R M d) time; O((R + M) d) memory until the backward pass.
    public static func sharedCrossEntropy(
        queries: Variable,
        positives: Variable,
        classes: Variable,
        packed: PackedClasses,
        masked: RaggedRows? = nil,
        weights: [Float]
    ) -> Variable {
        let tape = queries.tape
        let (rows, vectors, logits) = (queries.value, classes.value, positives.value)
        precondition(
            packed.count == vectors.rows && packed.dimension == vectors.columns && logits.shape == [rows.rows, 1],
            "packed [\(packed.count), \(packed.dimension)] of \(vectors.shape), positives \(logits.shape) for \(rows.shape)"
        )
        var gradients: SharedSoftmax.Gradients?
        var classGradient = Matrix(rows: 0, columns: 0)
        let losses: [Float]
        if [queries, positives, classes].contains(where: tape.needsGradient) {
            classGradient = Matrix(rows: vectors.rows, columns: vectors.columns)
            let result = SharedSoftmax.apply(
                queries: rows,
                positives: logits.elements,
                weights: weights,
                masked: masked,
                classes: packed,
                addingTo: &classGradient
            )
            (losses, gradients) = (result.losses, result)
        } else {
            precondition(weights.count == rows.rows, "\(weights.count) weights for queries \(rows.shape)")
            losses = SharedSoftmax.losses(queries: rows, positives: logits.elements, masked: masked, classes: packed)
        }
        let total = zip(losses, weights).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        let value = Matrix(rows: 1, columns: 1, repeating: Float(total))
        return tape.record(value, inputs: [queries, positives, classes]) { [classGradient] gradient, tape in
            guard let gradients else { return }
            let scale = gradient[0, 0]
            let byPositives = Matrix(rows: rows.rows, columns: 1, elements: gradients.positives)
            for (variable, part) in [
                (queries, gradients.queries), (positives, byPositives), (classes, classGradient),
            ] {
                var part = part
                if scale != 1 { part.scale(by: scale) }
                tape.accumulate(variable, part)
            }
        }
    }

    /// Multinomial negative log-likelihood of some columns of each row,
    /// `sum_r weight * sum_{i in S_r} -log softmax(l_r)_i`.
    ///
    /// Derivative: `weight * (|S_r| p_r - [i in S_r])`. Source: Liang et al., "Variational autoencoders for
    /// collaborative filtering", WWW 2018, equation 2.
    ///
    /// - Parameters:
    ///   - logits: `[R, V]`.
    ///   - columns: `S_r`, at least one column per row; a column that occurs twice counts twice.
    ///   - weight: The weight of each row, such as one over the batch size.
    /// - Returns: A scalar. Unit: nats times weight.
    public static func multinomial(logits: Variable, columns: RaggedRows, weight: Float) -> Variable {
        let scores = logits.value
        var probabilities = scores
        precondition(columns.count == probabilities.rows, "\(columns.count) sets for logits \(probabilities.shape)")
        let firsts = (0..<columns.count).map { row in
            guard let first = columns[row].first else { preconditionFailure("row \(row) has no columns") }
            return first
        }
        let firstLogits = firsts.enumerated().map { scores[$0.offset, Int($0.element)] }
        let (losses, firstProbabilities) = SoftmaxCrossEntropy.apply(
            logits: &probabilities,
            positives: firstLogits,
            masked: RaggedRows(firsts.map { [$0] })
        )
        var total = 0.0
        for row in 0..<columns.count {
            probabilities[row, Int(firsts[row])] = firstProbabilities[row]
            let partition = Double(losses[row]) + Double(firstLogits[row])
            for column in columns[row] { total += partition - Double(scores[row, Int(column)]) }
        }
        let value = Matrix(rows: 1, columns: 1, repeating: weight * Float(total))
        return logits.tape.record(value, inputs: [logits]) { gradient, tape in
            let scale = weight * gradient[0, 0]
            var result = probabilities.scalingRows(by: (0..<columns.count).map { scale * Float(columns[$0].count) })
            for row in 0..<columns.count {
                for column in columns[row] { result[row, Int(column)] -= scale }
            }
            tape.accumulate(logits, result)
        }
    }

    /// `weight * sum_r weight_r |a_r - b_r|^2`; derivative `2 weight weight_r (a_r - b_r)` and its negative (method,
    /// equation 21).
    ///
    /// - Parameters:
    ///   - a: Rows `[R, d]`.
    ///   - b: Rows `[R, d]`.
    ///   - weight: The weight of each row, such as one over the batch size.
    ///   - rowWeights: A factor on each row's weight, `[R]`, none negative; nil for 1.
    /// - Returns: A scalar.
    public static func squaredError(
        _ a: Variable,
        _ b: Variable,
        weight: Float,
        rowWeights: [Float]? = nil
    ) -> Variable {
        var difference = a.value
        difference.add(b.value, scale: -1)
        let weighted = rowWeights.map { difference.scalingRows(by: $0.map { $0.squareRoot() }) } ?? difference
        let value = Matrix(rows: 1, columns: 1, repeating: weight * Float(weighted.sumOfSquares()))
        let slopes = rowWeights.map(difference.scalingRows) ?? difference
        return a.tape.record(value, inputs: [a, b]) { gradient, tape in
            let scale = 2 * weight * gradient[0, 0]
            tape.accumulate(a) { $0.add(slopes, scale: scale) }
            tape.accumulate(b) { $0.add(slopes, scale: -scale) }
        }
    }
}
