import Autodiff
import Foundation
import Kernels

/// The guidance extraction module on a tape (method, section 3): histories in, `[B, K d]` interests out.
struct GuidanceExtraction {
    let configuration: DimeRecConfiguration
    private var guidance: GuidanceConfiguration { configuration.guidance }

    /// Names of the module's parameters.
    enum Name {
        static let projection = "guidance.projection"
        static let projectionBias = "guidance.projection.bias"
        static let position = "guidance.position"
        static let heads = "guidance.heads"
    }

    /// Fresh parameters; none for the rule-based module.
    func initialParameters(_ initialiser: Initialiser) -> [String: Matrix] {
        guard guidance.kind == .selfAttentive else { return [:] }
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

    /// Interests of every history.
    ///
    /// - Parameters:
    ///   - items: Unit rows of the items that occur, `[U, d]`.
    ///   - histories: Row numbers in `items`.
    ///   - parameters: Where the weights are.
    /// - Returns: `[B, K d]`, each interest a unit row (or raw, by configuration); zero for an empty history.
    func interests(items: Variable, histories: RaggedRows, parameters: ParameterSet) -> Variable {
        let raw: Variable
        switch guidance.kind {
        case .selfAttentive:
            let tape = items.tape
            let projection = tape.parameter(Name.projection, from: parameters)
            let bias = tape.parameter(Name.projectionBias, from: parameters)
            raw = Variable.attention(
                items: items,
                projection: items.product(projection),
                position: position(on: tape, parameters).product(projection).addingToEachRow(bias),
                heads: tape.parameter(Name.heads, from: parameters),
                histories: histories,
                firstPosition: firstPositions(histories)
            )
        case .ruleBased:
            raw = newestItems(items: items, histories: histories)
        }
        guard guidance.normaliseRows else { return raw }
        let (d, wide) = (configuration.dimension, raw.value.columns)
        return raw.reshaped(rows: raw.value.rows * configuration.interests, columns: d)
            .normalisedRows()
            .reshaped(rows: raw.value.rows, columns: wide)
    }

    /// The positional row of each history's oldest item.
    func firstPositions(_ histories: RaggedRows) -> [Int] {
        (0..<histories.count).map { row in
            guidance.padding == .right ? 0 : configuration.historyLength - histories[row].count
        }
    }

    /// The positional table, `[N, d]`.
    func position(on tape: Tape, _ parameters: ParameterSet) -> Variable {
        switch guidance.position {
        case .learned: tape.parameter(Name.position, from: parameters)
        case .sinusoid:
            tape.constant(sinusoids(count: configuration.historyLength, width: configuration.dimension))
        }
    }

    /// The K newest items, oldest first, zero rows in front of short histories (equation 15).
    private func newestItems(items: Variable, histories: RaggedRows) -> Variable {
        let count = configuration.interests
        var rows: [Int32] = []
        var present: [Float] = []
        for index in 0..<histories.count {
            let newest = histories[index].suffix(count)
            rows += [Int32](repeating: 0, count: count - newest.count) + newest
            present += [Float](repeating: 0, count: count - newest.count) + newest.map { _ in 1 }
        }
        return items.gatheringRows(rows).scalingRows(by: present)
            .reshaped(rows: histories.count, columns: count * configuration.dimension)
    }
}

/// Sines, then cosines, of `position * f_j` with `f_j = 10000^(-j / (width/2 - 1))`, positions from 0.
///
/// Source: the step embedding of DreamRec (method, section 4.1). Shape `[count, width]`.
func sinusoids(count: Int, width: Int) -> Matrix {
    let half = width / 2
    let frequencies = (0..<half).map { exp(-log(10000) * Double($0) / Double(max(1, half - 1))) }
    return Matrix(
        (0..<count).map { position in
            frequencies.map { Float(sin(Double(position) * $0)) }
                + frequencies.map { Float(cos(Double(position) * $0)) }
        }
    )
}
