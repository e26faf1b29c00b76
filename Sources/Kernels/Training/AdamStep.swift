import CKernels
import Dispatch

/// One Adam step on raw storage (Kingma and Ba, ICLR 2015, algorithm 1).
public struct AdamStep: Sendable {
    /// Decay of the first moment.
    public var beta1: Float
    /// Decay of the second moment.
    public var beta2: Float
    /// Learning rate divided by `1 - beta1^t`.
    public var stepSize: Float
    /// `1 / (1 - beta2^t)`.
    public var secondMomentCorrection: Float
    /// Added to the root of the corrected second moment.
    public var epsilon: Float

    /// The step numbered `step`, counting from 1.
    public init(step: Int, learningRate: Double, beta1: Double, beta2: Double, epsilon: Double) {
        precondition(step >= 1, "Adam counts steps from 1, got \(step)")
        self.beta1 = Float(beta1)
        self.beta2 = Float(beta2)
        stepSize = Float(learningRate / (1 - pow(beta1, step)))
        secondMomentCorrection = Float(1 / (1 - pow(beta2, step)))
        self.epsilon = Float(epsilon)
    }

    /// Updates a whole matrix and its two moments.
    public func update(_ weights: inout Matrix, first: inout Matrix, second: inout Matrix, gradient: Matrix) {
        weights.requireShape(first, second, gradient, in: "Adam")
        let count = weights.count
        weights.withMutablePointer { w in
            first.withMutablePointer { m in
                second.withMutablePointer { v in
                    gradient.withPointer { g in
                        var constants = constants
                        unsafe ck_adam(w, m, v, g, count, &constants)
                    }
                }
            }
        }
    }

    /// Updates only the rows `ids`, which must all differ; row `i` of `gradient` belongs to `ids[i]`.
    public func updateRows(
        _ ids: [Int32],
        of weights: inout Matrix,
        first: inout Matrix,
        second: inout Matrix,
        gradient: Matrix
    ) {
        weights.requireShape(first, second, in: "Adam rows")
        let columns = weights.columns
        precondition(
            gradient.rows == ids.count && gradient.columns == columns,
            "Adam rows: gradient \(gradient.shape) for \(ids.count) rows of \(weights.shape)"
        )
        let rows = weights.rows
        for id in ids { precondition(id >= 0 && Int(id) < rows, "row \(id) is outside 0..<\(rows)") }
        weights.withMutablePointer { w in
            first.withMutablePointer { m in
                second.withMutablePointer { v in
                    gradient.withPointer { g in
                        let storage = unsafe Storage(weights: w, first: m, second: v, gradient: g)
                        updateRows(ids, columns: columns, storage)
                    }
                }
            }
        }
    }

    /// Elements that are worth a thread.
    private static let elementsOfPart = 1 << 16

    /// Updates ranges of `ids` on all cores; the result does not depend on the number of threads.
    private func updateRows(_ ids: [Int32], columns: Int, _ storage: Storage) {
        let parts = max(1, ids.count * columns / Self.elementsOfPart)
        DispatchQueue.concurrentPerform(iterations: parts) { part in
            let range = ids.count * part / parts..<ids.count * (part + 1) / parts
            var constants = constants
            unsafe ids.withUnsafeBufferPointer { ids in
                guard let first = ids.baseAddress else { return }
                unsafe ck_adam_rows(
                    storage.weights,
                    storage.first,
                    storage.second,
                    storage.gradient + range.lowerBound * columns,
                    first + range.lowerBound,
                    range.count,
                    columns,
                    &constants
                )
            }
        }
    }

    private var constants: ck_adam_step {
        ck_adam_step(
            beta1: beta1,
            beta2: beta2,
            step_size: stepSize,
            v_correction: secondMomentCorrection,
            epsilon: epsilon
        )
    }

    /// The memory that an update reads and writes.
    ///
    /// Threads may share it: all ids differ, so no two threads write to the same row.
    @safe private struct Storage: @unchecked Sendable {
        let weights: UnsafeMutablePointer<Float>
        let first: UnsafeMutablePointer<Float>
        let second: UnsafeMutablePointer<Float>
        let gradient: UnsafePointer<Float>
    }
}

/// `base^exponent` in Double for a whole exponent, by squaring; accurate enough for bias corrections at any step.
private func pow(_ base: Double, _ exponent: Int) -> Double {
    var (result, power, left) = (1.0, base, exponent)
    while left > 0 {
        if left & 1 == 1 { result *= power }
        power *= power
        left >>= 1
    }
    return result
}
