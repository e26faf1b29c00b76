import Autodiff
import Kernels

/// The MLP module (method, section 3.4): the mean of the history's items through two dense layers.
///
/// `G = tanh(mean W_1 + b_1) W_2 + b_2` with `W_1 [d, 4 d]` and `W_2 [4 d, K d]`. The order of a history does not
/// matter.
struct MLPGuidance: InterestModule {
    let configuration: DimeRecConfiguration

    /// Names of the module's parameters.
    private enum Name {
        static let expand = "guidance.expand"
        static let contract = "guidance.contract"
    }

    var layout: ParameterLayout {
        let (d, width) = (configuration.dimension, configuration.interests * configuration.dimension)
        var layout: ParameterLayout = [:]
        layout.addDense(Name.expand, inputs: d, outputs: 4 * d)
        layout.addDense(Name.contract, inputs: 4 * d, outputs: width)
        return layout
    }

    func interests(
        items: Variable,
        histories: RaggedRows,
        parameters: ParameterSet,
        noise: NoiseSource?
    ) -> Variable {
        let shares = (0..<histories.count).flatMap { row in
            [Float](repeating: 1 / Float(histories[row].count), count: histories[row].count)
        }
        return items.weightedSums(shares, histories: histories, interests: 1)
            .dense(Name.expand, parameters, activation: .tanh)
            .dense(Name.contract, parameters)
            .scalingRows(by: (0..<histories.count).map { histories[$0].isEmpty ? 0 : 1 })
    }

    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor {
        func layer(_ name: String, _ activation: Activation) -> DenseLayer {
            DenseLayer(weights: parameters[name], bias: parameters[name + ".bias"].elements, activation: activation)
        }
        return HistoryPooling(
            items: items,
            expand: layer(Name.expand, .tanh),
            contract: layer(Name.contract, .identity),
            longest: configuration.historyLength
        )
    }
}
