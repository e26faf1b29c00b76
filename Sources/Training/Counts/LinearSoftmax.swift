import Dispatch
import Foundation
import Kernels
import Synchronization

/// A softmax over the candidates of each row, with logits linear in sixteen terms: its likelihood and Newton's method.
package struct LinearSoftmax {
    /// The terms of a candidate.
    package typealias Terms = SIMD16<Float>
    /// The weights of the terms, or derivatives by them.
    package typealias Weights = SIMD16<Double>
    /// How many lanes have terms.
    package static let lanes = 16

    /// The candidates of one row.
    package struct Sample: Sendable {
        /// The terms of each candidate.
        package var terms: [Terms] = []
        /// Added to each candidate's logit: the logarithm of how many items it stands for.
        package var offsets: [Float] = []
        /// The place of the target.
        package var target = 0

        /// No candidates.
        package init() {}
    }

    private var samples: [Sample]
    /// Rows of one task; fixed, because sums depend on it.
    private static let block = 64
    private static let mostSteps = 40

    package init(_ samples: [Sample]) { self.samples = samples }

    /// Changes the terms of all candidates.
    mutating func changeTerms(_ change: (inout Terms) -> Void) {
        for row in samples.indices {
            for place in samples[row].terms.indices { change(&samples[row].terms[place]) }
        }
    }

    /// The negative logarithm of the likelihood of all targets, with its first and second derivatives.
    package struct Loss {
        package var value = 0.0
        package var gradient = Weights.zero
        /// The rows of the matrix of second derivatives.
        package var curvature = [Weights](repeating: .zero, count: LinearSoftmax.lanes)

        fileprivate static func += (sum: inout Loss, other: Loss) {
            sum.value += other.value
            sum.gradient += other.gradient
            for lane in 0..<LinearSoftmax.lanes { sum.curvature[lane] += other.curvature[lane] }
        }
    }

    /// The loss at given weights.
    ///
    /// - Complexity: O(candidates), on all cores.
    package func loss(_ weights: Weights) -> Loss {
        let blocks = (samples.count + Self.block - 1) / Self.block
        let parts = Mutex([Loss](repeating: Loss(), count: blocks))
        DispatchQueue.concurrentPerform(iterations: blocks) { number in
            var sum = Loss()
            var logits: [Float] = []
            for row in number * Self.block..<min(samples.count, (number + 1) * Self.block) {
                Self.add(samples[row], Terms(weights), &logits, to: &sum)
            }
            parts.withLock { $0[number] = sum }
        }
        var total = Loss()
        for part in parts.withLock({ $0 }) { total += part }
        return total
    }

    private static func add(_ sample: Sample, _ weights: Terms, _ logits: inout [Float], to sum: inout Loss) {
        logits.removeAll(keepingCapacity: true)
        var highest = -Float.infinity
        for (terms, offset) in zip(sample.terms, sample.offsets) {
            let logit = (terms * weights).sum() + offset
            highest = max(highest, logit)
            logits.append(logit)
        }
        var total: Float = 0
        var mean = Terms.zero
        var squares = [Terms](repeating: .zero, count: lanes)
        for (place, terms) in sample.terms.enumerated() {
            let share = exp(logits[place] - highest)
            total += share
            let weighted = terms * share
            mean += weighted
            for lane in 0..<Self.lanes { squares[lane] += weighted * terms[lane] }
        }
        mean /= total
        sum.value += Double(highest + log(total) - logits[sample.target])
        sum.gradient += Weights(mean - sample.terms[sample.target])
        for lane in 0..<Self.lanes { sum.curvature[lane] += Weights(squares[lane] / total - mean * mean[lane]) }
    }

    /// Moves the free weights to the maximum of the likelihood times a normal prior, by Newton's method with halved
    /// steps where a whole one does not improve.
    ///
    /// - Parameters:
    ///   - weights: Where to start; the result.
    ///   - free: Which weights may change.
    ///   - prior: The prior's mean, and its precision in every direction.
    package func maximise(
        _ weights: inout Weights,
        free: SIMDMask<Weights.MaskStorage>,
        prior: (mean: Weights, precision: Double)
    ) {
        func penalised(_ weights: Weights) -> Loss {
            var loss = loss(weights)
            let distance = weights - prior.mean
            loss.value += 0.5 * prior.precision * (distance * distance).sum()
            loss.gradient += prior.precision * distance
            for lane in 0..<Self.lanes { loss.curvature[lane][lane] += prior.precision }
            return loss
        }
        var now = penalised(weights)
        for _ in 0..<Self.mostSteps {
            var direction = Self.newtonStep(now, free: free)
            let promised = -(now.gradient * direction).sum()
            guard promised > 1e-6 * Double(samples.count) else { return }
            var next = penalised(weights + direction)
            for _ in 0..<20 where !(next.value <= now.value - 1e-4 * promised) {
                direction *= 0.5
                next = penalised(weights + direction)
            }
            guard next.value < now.value else { return }
            weights += direction
            now = next
        }
    }

    /// The step to the minimum of the quadratic model, within the free weights.
    private static func newtonStep(
        _ loss: Loss,
        free: SIMDMask<Weights.MaskStorage>
    ) -> Weights {
        let lanes = (0..<Self.lanes).filter { free[$0] }
        // Scaled to a diagonal of ones, so that Float32 is precise enough.
        let roots = lanes.map { max(loss.curvature[$0][$0], 1e-12).squareRoot() }
        var scaled = Matrix(rows: lanes.count, columns: lanes.count)
        for (a, first) in lanes.enumerated() {
            for (b, second) in lanes.enumerated() {
                let element = loss.curvature[first][second] / (roots[a] * roots[b])
                scaled[a, b] = Float(element) + (a == b ? 1e-4 : 0)
            }
        }
        guard let inverse = scaled.inverseOfPositiveDefinite() else { return .zero }
        var step = Weights.zero
        for (a, first) in lanes.enumerated() {
            for (b, second) in lanes.enumerated() {
                step[first] -= Double(inverse[a, b]) * loss.gradient[second] / (roots[a] * roots[b])
            }
        }
        return step
    }
}
