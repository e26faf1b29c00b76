import Autodiff
import Kernels

/// The self-attentive module (method, section 3.2, equations 16 and 17): one softmax over the positions for each interest.
struct SelfAttentiveGuidance: GuidanceModule {
    let configuration: DimeRecConfiguration
    private var guidance: GuidanceConfiguration { configuration.guidance }

    /// Names of the module's parameters.
    private enum Name {
        static let projection = "guidance.projection"
        static let projectionBias = "guidance.projection.bias"
        static let position = "guidance.position"
        static let heads = "guidance.heads"
    }

    func initialParameters(_ initialiser: Initialiser) -> [String: Matrix] {
        let d = configuration.dimension
        var parameters = [
            Name.projection: initialiser.xavier(Name.projection, inputs: d, outputs: guidance.hidden),
            Name.projectionBias: Matrix(rows: 1, columns: guidance.hidden),
            Name.heads: initialiser.xavier(Name.heads, inputs: configuration.interests, outputs: guidance.hidden),
        ]
        if guidance.position == .learned {
            parameters[Name.position] = initialiser.normal(
                Name.position,
                rows: configuration.historyLength,
                columns: d,
                deviation: 0.02
            )
        }
        return parameters
    }

    func interests(items: Variable, histories: RaggedRows, parameters: ParameterSet) -> Variable {
        let tape = items.tape
        let projection = tape.parameter(Name.projection, from: parameters)
        let bias = tape.parameter(Name.projectionBias, from: parameters)
        return .attention(
            items: items,
            projection: items.product(projection),
            position: position(on: tape, parameters).product(projection).addingToEachRow(bias),
            heads: tape.parameter(Name.heads, from: parameters),
            histories: histories,
            firstPosition: firstPositions(histories)
        )
    }

    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor {
        let projection = parameters[Name.projection]
        var position = Matrix.product(position(on: Tape(recording: false), parameters).value, projection)
        position.addToEachRow(parameters[Name.projectionBias])
        return HistoryAttention(
            items: items,
            projection: projection,
            position: position,
            heads: parameters[Name.heads],
            countsFromNewest: guidance.padding == .left,
            keyBytes: keyBytes
        )
    }

    /// The positional row of each history's oldest item.
    private func firstPositions(_ histories: RaggedRows) -> [Int] {
        (0..<histories.count).map { row in
            guidance.padding == .right ? 0 : configuration.historyLength - histories[row].count
        }
    }

    /// The positional table, `[N, d]`.
    private func position(on tape: Tape, _ parameters: ParameterSet) -> Variable {
        switch guidance.position {
        case .learned: tape.parameter(Name.position, from: parameters)
        case .sinusoid:
            tape.constant(sinusoids(count: configuration.historyLength, width: configuration.dimension))
        }
    }
}
