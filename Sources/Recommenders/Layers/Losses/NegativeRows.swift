import Autodiff
import Kernels

/// Negatives of a batch as rows on a tape, and the softmax loss against them (equations 19 and 22).
struct NegativeRows {
    private enum Layout {
        /// The rows as the fused softmax reads them, nil if no softmax follows, and the masked ones by query.
        case shared(PackedClasses?, masked: RaggedRows)
        case perRow(correction: Float)
    }
    private let rows: Variable
    private let layout: Layout

    /// The rows of a batch's negatives; `precision` is the arithmetic of the softmax, nil if no softmax follows.
    init(
        _ negatives: Negatives,
        precision: Precision? = .float32,
        table: String,
        geometry: Geometry,
        parameters: ParameterSet,
        tape: Tape
    ) {
        func placed(_ ids: [Int32]) -> Variable { geometry.placed(tape.gather(table, from: parameters, rows: ids)) }
        func packed(_ rows: Variable, _ corrections: [Float]?) -> PackedClasses? {
            precision.map { PackedClasses(rows.value, offsets: corrections, precision: $0) }
        }
        switch negatives {
        case .pool(let items, let corrections, let masked):
            rows = placed(items)
            layout = .shared(packed(rows, corrections), masked: masked)
        case .perRow(let items, _, let correction):
            rows = placed(items)
            layout = .perRow(correction: correction)
        case .catalogue(let masked):
            rows = placed(Array(0..<Int32(parameters[table].rows)))
            layout = .shared(packed(rows, nil), masked: masked)
        }
    }

    /// `weight * sum_r weight_r -log softmax(s <q_r, e_+>)` over the positive and the row's negatives; without
    /// row weights, they are 1.
    func softmaxLoss(
        of queries: Variable,
        positives: Variable,
        scale: LogitScale,
        weight: Float,
        rowWeights: [Float]? = nil
    ) -> Variable {
        let scaled = scale.applied(to: queries)
        let positiveLogits = scaled.rowDots(positives)
        switch layout {
        case .shared(let packed, let masked):
            guard let packed else { preconditionFailure("the softmax of rows that were made for another loss") }
            return .sharedCrossEntropy(
                queries: scaled,
                positives: positiveLogits,
                classes: rows,
                packed: packed,
                masked: masked,
                weights: rowWeights.map { $0.map { $0 * weight } }
                    ?? [Float](repeating: weight, count: scaled.value.rows)
            )
        case .perRow(let correction):
            return .crossEntropy(
                positives: positiveLogits,
                negatives: scaled.blockScores(rows),
                negativeOffset: correction,
                weight: weight,
                rowWeights: rowWeights
            )
        }
    }

    /// `weight * sum_r weight_r mean_j -log sigmoid(s <q_r, e_+> - s <q_r, e_j>)` over the row's negatives without the masked
    /// ones (BPR; Rendle et al., UAI 2009); 0 for a row without negatives.
    ///
    /// Without row weights, they are 1.
    func pairwiseLoss(
        of queries: Variable,
        positives: Variable,
        scale: LogitScale,
        weight: Float,
        rowWeights: [Float]? = nil
    ) -> Variable {
        let scaled = scale.applied(to: queries)
        let scores: Variable
        var masks: RaggedRows?
        switch layout {
        case .shared(_, let masked): (scores, masks) = (scaled.product(rows, transposed: true), masked)
        case .perRow: scores = scaled.blockScores(rows)
        }
        let (count, columns) = (scores.value.rows, scores.value.columns)
        let shares = (0..<count).map { row in
            (rowWeights?[row] ?? 1) / Float(max(1, columns - (masks.map { Set($0[row]).count } ?? 0)))
        }
        // A pair is a softmax over two logits: one positive and one negative per row.
        return .crossEntropy(
            positives: scaled.rowDots(positives).gatheringRows(
                (0..<count).flatMap { [Int32](repeating: Int32($0), count: columns) }
            ),
            negatives: scores.reshaped(rows: count * columns, columns: 1),
            masked: masks.map { masks in
                RaggedRows(
                    (0..<count).flatMap { row in
                        let masked = Set(masks[row])
                        return (0..<Int32(columns)).map { masked.contains($0) ? [Int32(0)] : [] }
                    }
                )
            },
            weight: weight,
            rowWeights: shares.flatMap { [Float](repeating: $0, count: columns) }
        )
    }
}
