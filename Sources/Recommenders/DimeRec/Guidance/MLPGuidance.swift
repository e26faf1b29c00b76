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
        static let expandBias = "guidance.expand.bias"
        static let contract = "guidance.contract"
        static let contractBias = "guidance.contract.bias"
    }

    var layout: ParameterLayout {
        let (d, width) = (configuration.dimension, configuration.interests * configuration.dimension)
        return [
            Name.expand: .xavier(inputs: d, outputs: 4 * d),
            Name.expandBias: .constant(rows: 1, columns: 4 * d),
            Name.contract: .xavier(inputs: 4 * d, outputs: width),
            Name.contractBias: .constant(rows: 1, columns: width),
        ]
    }

    func interests(items: Variable, histories: RaggedRows, parameters: ParameterSet) -> Variable {
        func weights(_ name: String) -> Variable { items.tape.parameter(name, from: parameters) }
        let shares = (0..<histories.count).flatMap { row in
            [Float](repeating: 1 / Float(histories[row].count), count: histories[row].count)
        }
        return items.weightedSums(shares, histories: histories, interests: 1)
            .product(weights(Name.expand)).addingToEachRow(weights(Name.expandBias)).activated(.tanh)
            .product(weights(Name.contract)).addingToEachRow(weights(Name.contractBias))
            .scalingRows(by: (0..<histories.count).map { histories[$0].isEmpty ? 0 : 1 })
    }

    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor {
        func layer(_ name: String, _ bias: String, _ activation: Activation) -> DenseLayer {
            DenseLayer(weights: parameters[name], bias: parameters[bias].elements, activation: activation)
        }
        return HistoryPooling(
            items: items,
            expand: layer(Name.expand, Name.expandBias, .tanh),
            contract: layer(Name.contract, Name.contractBias, .identity),
            longest: configuration.historyLength
        )
    }
}
