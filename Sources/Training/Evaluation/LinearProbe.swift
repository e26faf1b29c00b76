import Dispatch
public import Kernels
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How well a linear classifier predicts an item's category from its vector (method, section 9.5).
///
/// Multinomial logistic regression on unit vectors. An item's label is its first category; items without a category
/// are left out. Each of several seeded splits holds out a fifth of the items, stratified by category. A tenth of the
/// rest decides when fitting stops.
public struct LinearProbe: Sendable {
    /// Items that take part.
    private let items: [Int32]
    /// Their labels, 0 to `classes - 1`.
    private let labels: [Int]
    private let classes: Int
    private let splits: [Split]

    /// Places in `items`.
    private struct Split {
        var fit: [Int32] = []
        var stop: [Int32] = []
        var held: [Int32] = []
    }

    /// A probe of a catalogue's categories; nil with fewer than two labels or fewer than twenty labelled items.
    ///
    /// - Parameters:
    ///   - categories: For each item the numbers of its categories, the main one first.
    ///   - splits: How many splits the accuracy is averaged over.
    ///   - seed: Seed of the splits.
    public init?(categories: [[Int32]], splits: Int = 5, seed: UInt64 = 1) {
        let labelled = categories.indices.filter { !categories[$0].isEmpty }
        let names = Set(labelled.map { categories[$0][0] }).sorted()
        guard names.count >= 2, labelled.count >= 20 else { return nil }
        let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        let labels = labelled.map { numbers[categories[$0][0], default: 0] }
        items = labelled.map { Int32($0) }
        self.labels = labels
        classes = names.count
        let generator = CounterBasedGenerator(seed: seed, purpose: .probing)
        self.splits = (0..<splits).map { number in
            Self.split(labels, keys: generator.words(stream: UInt64(number), count: labels.count + 2))
        }
    }

    /// Sorts items by label, randomly within a label; holds out every fifth, and every tenth of the others for
    /// stopping.
    private static func split(_ labels: [Int], keys: [UInt32]) -> Split {
        let order = labels.indices.sorted { (labels[$0], keys[$0], $0) < (labels[$1], keys[$1], $1) }
        let (heldPlace, stopPlace) = (Int(keys[labels.count] % 5), Int(keys[labels.count + 1] % 10))
        var (split, rest) = (Split(), 0)
        for (place, item) in order.enumerated() {
            if place % 5 == heldPlace {
                split.held.append(Int32(item))
                continue
            }
            if rest % 10 == stopPlace { split.stop.append(Int32(item)) } else { split.fit.append(Int32(item)) }
            rest += 1
        }
        return split
    }

    /// Mean share of held-out items whose category the fitted classifier predicts.
    ///
    /// - Parameter vectors: A row an item of the catalogue, `[V, d]`, of any length.
    /// - Returns: A fraction; the same for the same vectors, on any number of threads.
    /// - Complexity: O(epochs * items * d * categories), a few hundred epochs.
    public func accuracy(of vectors: Matrix) -> Double {
        let rows = vectors.gatheringRows(items).normalisedRows().unit
        let accuracies = Mutex([Double](repeating: 0, count: splits.count))
        DispatchQueue.concurrentPerform(iterations: splits.count) { index in
            let accuracy = accuracy(on: splits[index], rows)
            accuracies.withLock { $0[index] = accuracy }
        }
        return accuracies.withLock { $0.reduce(0, +) } / Double(splits.count)
    }

    /// The accuracy of always predicting the most frequent category of the items that are not held out.
    public var majorityAccuracy: Double {
        splits.reduce(0) { sum, split in
            var counts = [Int](repeating: 0, count: classes)
            for item in split.fit + split.stop { counts[labels[Int(item)]] += 1 }
            let most = counts.indices.max { (counts[$0], $1) < (counts[$1], $0) }
            return sum + Double(split.held.count { labels[Int($0)] == most }) / Double(split.held.count)
        } / Double(splits.count)
    }

    /// The accuracy of random vectors of the same length.
    public func randomAccuracy(dimension: Int) -> Double {
        let generator = CounterBasedGenerator(seed: 0, purpose: .probing)
        let count = Int(items.max() ?? 0) + 1
        return accuracy(of: generator.normalRows(streams: (0..<UInt64(count)).map { $0 }, columns: dimension))
    }

    // MARK: One split

    /// Fits by full-batch Adam from zero weights and keeps the weights with the lowest loss on the split's stopping
    /// part.
    private func accuracy(on split: Split, _ rows: Matrix) -> Double {
        let (fit, stop, held) = (
            rows.gatheringRows(split.fit), rows.gatheringRows(split.stop), rows.gatheringRows(split.held)
        )
        var model = LogisticRegression(dimension: rows.columns, classes: classes)
        let (fitLabels, stopLabels) = (split.fit.map { labels[Int($0)] }, split.stop.map { labels[Int($0)] })
        var (best, bestLoss, checksWithoutGain) = (model, Double.infinity, 0)
        for epoch in 1...Self.maxEpochs {
            model.step(epoch, rows: fit, labels: fitLabels)
            guard epoch % Self.checkEvery == 0 else { continue }
            let loss = model.loss(rows: stop, labels: stopLabels)
            if loss < bestLoss {
                (best, bestLoss, checksWithoutGain) = (model, loss, 0)
            } else {
                checksWithoutGain += 1
                if checksWithoutGain == Self.patience { break }
            }
        }
        let probabilities = best.probabilities(of: held)
        let right = split.held.indices.count { row in
            probabilities.rank(ofColumn: labels[Int(split.held[row])], inRow: row) == 0
        }
        return Double(right) / Double(split.held.count)
    }

    private static let maxEpochs = 3000
    private static let checkEvery = 10
    private static let patience = 5
}

/// Multinomial logistic regression and the state of its optimiser.
private struct LogisticRegression {
    /// Weights `[d, C]` and bias `[1, C]`, each with its moments.
    private var weights: Parameter
    private var bias: Parameter

    private struct Parameter {
        var values: Matrix
        var first: Matrix
        var second: Matrix

        init(rows: Int, columns: Int) {
            values = Matrix(rows: rows, columns: columns)
            (first, second) = (values, values)
        }
    }

    init(dimension: Int, classes: Int) {
        weights = Parameter(rows: dimension, columns: classes)
        bias = Parameter(rows: 1, columns: classes)
    }

    func probabilities(of rows: Matrix) -> Matrix {
        var logits = Matrix.product(rows, weights.values)
        logits.addToEachRow(bias.values)
        return logits.softmaxRows()
    }

    /// Mean cross-entropy in nats.
    func loss(rows: Matrix, labels: [Int]) -> Double {
        let probabilities = probabilities(of: rows)
        return labels.indices.reduce(0.0) { $0 - log(max(Double(probabilities[$1, labels[$1]]), 1e-30)) }
            / Double(max(1, labels.count))
    }

    /// One step of full-batch Adam with rate .01.
    mutating func step(_ number: Int, rows: Matrix, labels: [Int]) {
        var errors = probabilities(of: rows)
        for (row, label) in labels.enumerated() { errors[row, label] -= 1 }
        errors.scale(by: 1 / Float(max(1, labels.count)))
        let adam = AdamStep(step: number, learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8)
        let gradient = Matrix.product(rows, transposed: true, errors)
        adam.update(&weights.values, first: &weights.first, second: &weights.second, gradient: gradient)
        adam.update(&bias.values, first: &bias.first, second: &bias.second, gradient: errors.summedRows())
    }
}
