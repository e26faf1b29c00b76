import Autodiff
import Kernels

/// A system whose user vector is the newest state of a causal network over the history, trained by sampled softmax.
///
/// Vectors and items are on the unit sphere and the softmax is DimeRec's (equation 19 with one interest), so that
/// differences between systems are differences between networks.
protocol StateRecommender: TrainedRecommender {
    /// Inverse temperature of the softmax.
    var logitScale: Double { get }

    /// The states of all positions of some sequences, `[P, d]`.
    ///
    /// - Parameters:
    ///   - items: The unit item row of each position, `[P, d]`.
    ///   - offsets: Where each sequence starts, and the end of the last.
    /// - Returns: `[P, d]`.
    func states(items: Variable, offsets: [Int]) -> Variable
}

extension StateRecommender {
    /// A model over parameters that come from outside.
    ///
    /// - Throws: ``ParameterError``.
    public init(_ configuration: Configuration, stored matrices: consuming [String: Matrix]) throws(ParameterError) {
        self.init(configuration, items: 1, seed: 0)
        let fresh = parameters
        parameters = ParameterSet(matrices)
        try requireParameters(of: fresh, itemTables: [DimeRec.itemTable])
    }

    /// The newest state.
    public var readOuts: [ReadOut] { [.served] }

    /// Nothing to restore.
    public mutating func constrain() {}

    /// Unit rows of the item table, `[V, d]`.
    public var scoringItems: Matrix { parameters[DimeRec.itemTable].normalisedRows().unit }

    /// Softmax cross-entropy of the target against the negatives.
    public func loss(_ batch: TrainingBatch, on tape: Tape) -> TrainingLoss {
        let negatives = NegativeRows(
            batch.negatives,
            offset: batch.negativeOffset,
            table: DimeRec.itemTable,
            geometry: .sphere,
            parameters: parameters,
            tape: tape
        )
        let targets = tape.gather(DimeRec.itemTable, from: parameters, rows: batch.targets).normalisedRows()
        let total = negatives.softmaxLoss(
            of: users(batch.histories, on: tape),
            positives: targets,
            scale: .fixed(Float(logitScale)),
            weight: 1 / Float(batch.stepRows)
        )
        return TrainingLoss(total: total, terms: [("softmax", total.scalar)])
    }

    /// The newest state of each history, a unit row.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        UserVectors(rows: users(histories, on: Tape(recording: false)).value)
    }

    private func users(_ histories: RaggedRows, on tape: Tape) -> Variable {
        let shared = SharedPrefixes(histories)
        let items = tape.gather(DimeRec.itemTable, from: parameters, rows: shared.sequences.ids).normalisedRows()
        let newest = shared.firsts.indices.map { Int32(shared.firsts[$0] + histories[$0].count - 1) }
        return states(items: items, offsets: shared.sequences.offsets).gatheringRows(newest).normalisedRows()
    }

    /// Fresh item rows beside the network's parameters.
    static func initialParameters(
        _ network: [String: Matrix],
        items: Int,
        dimension: Int,
        _ initialiser: Initialiser
    ) -> ParameterSet {
        var matrices = network
        matrices[DimeRec.itemTable] = initialiser.normal(
            DimeRec.itemTable,
            rows: items,
            columns: dimension,
            deviation: 1 / Double(dimension).squareRoot()
        )
        return ParameterSet(matrices)
    }
}
