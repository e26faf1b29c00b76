import Foundation
import Kernels
import Recommenders

/// How much a noised target tells about which item it was, for each diffusion step.
///
/// A noised vector `x_t` of an item drawn uniformly has at least
///
///     log V + max over kappa of the mean of log softmax(kappa x_t · items)[target]
///
/// nats of information about the item, whatever the kind of noise (the bound of Barber and Agakov, NIPS 2003). It is
/// log V where the target is disclosed, and 0 where nothing of it is left.
struct InformationMeasurement {
    /// Noised targets of each step.
    private static let draws = 512
    /// The largest number of items among which the target is sought.
    private static let mostItems = 2048
    /// The exponents of two of the tried concentrations kappa.
    private static let exponents = stride(from: -2.0, through: 10, by: 0.25)
    private let seed: UInt64

    init(seed: UInt64) { self.seed = seed }

    /// A point for each step of the forward noise: `nats`, the mean `cosine` of noised and clean target, and the share
    /// of targets that are `nearest` to their noised vector.
    func points(of model: DimeRec) -> [MeasuredPoint] {
        let generator = CounterBasedGenerator(seed: seed, purpose: .probing)
        let all = model.scoringItems
        // Evenly spaced, so that no item is there twice.
        let count = min(all.rows, Self.mostItems)
        let chosen = (0..<count).map { Int32($0 * all.rows / count) }
        let items = all.gatheringRows(chosen).normalisedRows().unit
        let targets = generator.integers(below: items.rows, stream: 1, count: Self.draws)
        let clean = items.gatheringRows(targets)
        return (1...model.configuration.steps).map { step in
            let noised = model.noise.noised(
                clean,
                steps: [Int](repeating: step, count: Self.draws),
                noise: NoiseSource(seed: seed, streams: (0..<UInt64(Self.draws)).map(\.self))
            ).normalisedRows().unit
            let cosines = Matrix.product(noised, transposed: false, items, transposed: true)
            let own = targets.enumerated().map { cosines[$0, Int($1)] }
            let nearest = targets.enumerated().count { cosines.rank(ofColumn: Int($1), inRow: $0) == 0 }
            let likelihoods = Self.exponents.map { Self.likelihood(cosines, own, kappa: Float(exp2($0))) }
            var point = MeasuredPoint(name: "t = \(step)", values: [:])
            point.values["step"] = Double(step)
            point.values["nats"] = max(0, log(Double(items.rows)) + (likelihoods.max() ?? 0))
            point.values["all_nats"] = log(Double(items.rows))
            point.values["cosine"] = own.reduce(0) { $0 + Double($1) } / Double(Self.draws)
            point.values["nearest"] = Double(nearest) / Double(Self.draws)
            return point
        }
    }

    /// The mean logarithm of the targets' shares in a softmax over the items.
    private static func likelihood(_ cosines: Matrix, _ own: [Float], kappa: Float) -> Double {
        var sum = 0.0
        for row in 0..<cosines.rows {
            let cosines = cosines.row(row)
            let highest = cosines.max() ?? 0
            let total = cosines.reduce(0) { $0 + exp(kappa * ($1 - highest)) }
            sum += Double(kappa * (own[row] - highest) - log(total))
        }
        return sum / Double(cosines.rows)
    }
}
