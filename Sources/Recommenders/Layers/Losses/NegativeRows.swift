import Autodiff
import Kernels

/// Negatives of a batch as rows on a tape, and the softmax loss against them (equations 19 and 22).
struct NegativeRows {
    private enum Layout {
        case shared(corrections: [Float]?, masked: RaggedRows)
        case perRow(correction: Float)
    }
    private let rows: Variable
    private let layout: Layout

    init(
        _ negatives: Negatives,
        table: String,
        geometry: Geometry,
        parameters: ParameterSet,
        tape: Tape
    ) {
        let ids: [Int32]
        switch negatives {
        case .pool(let items, let corrections, let masked):
            (ids, layout) = (items, .shared(corrections: corrections, masked: masked))
        case .perRow(let items, _, let correction):
            (ids, layout) = (items, .perRow(correction: correction))
        case .catalogue(let masked):
            (ids, layout) = (Array(0..<Int32(parameters[table].rows)), .shared(corrections: nil, masked: masked))
        }
        rows = geometry.placed(tape.gather(table, from: parameters, rows: ids))
    }

    /// `weight * sum_r -log softmax(s <q_r, e_+>)` over the positive and the row's negatives.
    func softmaxLoss(of queries: Variable, positives: Variable, scale: LogitScale, weight: Float) -> Variable {
        let scaled = scale.applied(to: queries)
        let positiveLogits = scaled.rowDots(positives)
        switch layout {
        case .shared(let corrections, let masked):
            var logits = scaled.product(rows, transposed: true)
            if let corrections {
                logits = logits.addingToEachRow(
                    logits.tape.constant(Matrix(rows: 1, columns: corrections.count, elements: corrections))
                )
            }
            return .crossEntropy(positives: positiveLogits, negatives: logits, masked: masked, weight: weight)
        case .perRow(let correction):
            return .crossEntropy(
                positives: positiveLogits,
                negatives: scaled.blockScores(rows),
                negativeOffset: correction,
                weight: weight
            )
        }
    }

    /// `weight / M * sum_r sum_j -log sigmoid(s <q_r, e_+> - s <q_r, e_j>)` over the row's `M` negatives without the
    /// masked ones (BPR; Rendle et al., UAI 2009).
    func pairwiseLoss(of queries: Variable, positives: Variable, scale: LogitScale, weight: Float) -> Variable {
        let scaled = scale.applied(to: queries)
        let scores: Variable
        var masks: RaggedRows?
        switch layout {
        case .shared(_, let masked): (scores, masks) = (scaled.product(rows, transposed: true), masked)
        case .perRow: scores = scaled.blockScores(rows)
        }
        let (count, columns) = (scores.value.rows, scores.value.columns)
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
            weight: weight / Float(columns)
        )
    }
}
