import Autodiff
import Kernels

/// The self-attentive module (method, section 3.2, equations 16 and 17): one softmax over the positions for each
/// interest.
struct SelfAttentiveInterests: InterestModule {
    /// The prefix of the parameters' names.
    let prefix: String
    /// Width of item rows (d).
    let dimension: Int
    /// The most items of a history (N).
    let historyLength: Int
    /// Interests (K).
    let interests: Int
    /// Width of the hidden layer.
    let hidden: Int
    /// The positional table.
    let position: PositionTable
    /// The end of the window that short histories leave empty.
    let padding: PaddingSide

    private var projectionName: String { prefix + ".projection" }
    private var biasName: String { prefix + ".projection.bias" }
    private var positionName: String { prefix + ".position" }
    private var headsName: String { prefix + ".heads" }

    var layout: ParameterLayout {
        var layout: ParameterLayout = [
            projectionName: .xavier(inputs: dimension, outputs: hidden),
            biasName: .constant(rows: 1, columns: hidden),
            headsName: .xavier(inputs: interests, outputs: hidden),
        ]
        if position == .learned {
            layout[positionName] = .normal(
                rows: historyLength,
                columns: dimension,
                deviation: 0.02
            )
        }
        return layout
    }

    func interests(
        items: Variable,
        histories: RaggedRows,
        parameters: ParameterSet,
        noise: NoiseSource?
    ) -> Variable {
        let tape = items.tape
        let projection = tape.parameter(projectionName, from: parameters)
        let bias = tape.parameter(biasName, from: parameters)
        return .attention(
            items: items,
            projection: items.product(projection),
            position: positions(on: tape, parameters).product(projection).addingToEachRow(bias),
            heads: tape.parameter(headsName, from: parameters),
            histories: histories,
            firstPosition: firstPositions(histories)
        )
    }

    func extractor(items: Matrix, parameters: ParameterSet, keyBytes: Int) -> any InterestExtractor {
        let projection = parameters[projectionName]
        var positions = Matrix.product(positions(on: Tape(recording: false), parameters).value, projection)
        positions.addToEachRow(parameters[biasName])
        return HistoryAttention(
            items: items,
            projection: projection,
            position: positions,
            heads: parameters[headsName],
            countsFromNewest: padding == .left,
            keyBytes: keyBytes
        )
    }

    /// The positional row of each history's oldest item.
    private func firstPositions(_ histories: RaggedRows) -> [Int] {
        (0..<histories.count).map { row in
            padding == .right ? 0 : historyLength - histories[row].count
        }
    }

    /// The positional table, `[N, d]`.
    private func positions(on tape: Tape, _ parameters: ParameterSet) -> Variable {
        switch position {
        case .learned: tape.parameter(positionName, from: parameters)
        case .sinusoid:
            tape.constant(sinusoids(count: historyLength, width: dimension))
        }
    }
}
