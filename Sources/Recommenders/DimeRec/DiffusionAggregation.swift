import Autodiff
import Kernels

/// The denoiser of the diffusion aggregation module on a tape (method, section 4.1, equation 20).
///
/// `h = act(x_t W_x + vec(G) W_g + W_t tau(t) + b_1)`, optionally one more hidden layer, `y = h W_2 + b_2` plus the
/// chosen residual, and the clean vector is `y / |y|`. The first layer adds three products in a fixed order. So
/// serving can compute the guidance's product once per user and the step's product in advance.
struct DiffusionAggregation {
    let configuration: DimeRecConfiguration
    private var denoiser: DenoiserConfiguration { configuration.denoiser }

    /// Names of the module's parameters.
    enum Name {
        static let noised = "denoiser.noised"
        static let guidance = "denoiser.guidance"
        static let recent = "denoiser.recent"
        static let bias = "denoiser.bias"
        static let condition = "denoiser.condition"
        static let conditionBias = "denoiser.condition.bias"
        static let conditionResidual = "denoiser.condition.residual"
        static let middle = "denoiser.middle"
        static let middleBias = "denoiser.middle.bias"
        static let output = "denoiser.output"
        static let outputBias = "denoiser.output.bias"
        static let stepTable = "denoiser.step.table"
        static let step = "denoiser.step"
    }

    /// The parameters.
    var layout: ParameterLayout {
        let (d, H) = (configuration.dimension, denoiser.hidden)
        let guidanceWidth = denoiser.layout == .concatenated ? configuration.interests * d : d
        let wide = denoiser.conditionHidden > 0 ? denoiser.conditionHidden : H
        var layout: ParameterLayout = [
            Name.noised: .xavier(inputs: d, outputs: H),
            Name.guidance: .xavier(inputs: guidanceWidth, outputs: wide),
            Name.bias: .constant(rows: 1, columns: wide),
            // With the guidance as a residual, training starts from the guidance's answer.
            Name.output: denoiser.residual == .meanInterest
                ? .constant(rows: H, columns: d) : .xavier(inputs: H, outputs: d),
            Name.outputBias: .constant(rows: 1, columns: d),
        ]
        if denoiser.recentItems > 0 {
            layout[Name.recent] = .xavier(inputs: denoiser.recentItems * d, outputs: wide)
        }
        if denoiser.conditionHidden > 0 {
            layout[Name.condition] = .xavier(inputs: wide, outputs: H)
            layout[Name.conditionBias] = .constant(rows: 1, columns: H)
        }
        if denoiser.residual == .condition {
            layout[Name.conditionResidual] = .xavier(inputs: wide, outputs: d)
        }
        if denoiser.depth == 2 {
            layout[Name.middle] = .xavier(inputs: H, outputs: H)
            layout[Name.middleBias] = .constant(rows: 1, columns: H)
        }
        switch denoiser.stepEmbedding {
        case .table:
            layout[Name.stepTable] = .normal(
                rows: configuration.steps,
                columns: H,
                deviation: 0.02
            )
        case .sinusoid:
            layout.add(stepEmbedding.layout)
            layout[Name.step] = .xavier(inputs: d, outputs: H)
        }
        return layout
    }

    private var stepEmbedding: StepEmbedding {
        let d = configuration.dimension
        return StepEmbedding(prefix: Name.step, width: d, hidden: 2 * d, activation: .gelu)
    }

    /// `W_t tau(t)` of every step, `[T, H]`; row `t - 1` belongs to step `t`.
    func stepTerms(on tape: Tape, _ parameters: ParameterSet) -> Variable {
        switch denoiser.stepEmbedding {
        case .table:
            tape.parameter(Name.stepTable, from: parameters)
        case .sinusoid:
            stepEmbedding.rows((0..<configuration.steps).map(Double.init), on: tape, parameters)
                .product(tape.parameter(Name.step, from: parameters))
        }
    }

    /// The mean of each row's K interests, `[B, d]`.
    func meanInterest(_ interests: Variable) -> Variable {
        let (B, K, d) = (interests.value.rows, configuration.interests, configuration.dimension)
        let rows = interests.reshaped(rows: B * K, columns: d)
        let picks = (0..<K).map { k in rows.gatheringRows((0..<B).map { Int32($0 * K + k) }) }
        return picks.dropFirst().reduce(picks[0]) { $0.adding($1) }.scaled(by: 1 / Float(K))
    }

    /// Makes the dropout mask `[B, width]` of a hidden layer by its number.
    typealias DropoutMask = (_ layer: Int, _ width: Int) -> Matrix

    /// A history's inputs of the denoiser.
    struct Condition {
        /// G, `[B, K d]`.
        var interests: Variable
        /// R, the newest items in order, `[B, M d]`; nil if they are not used.
        var recent: Variable?

        /// The same values as constants: no gradient flows through them.
        func stoppingGradient() -> Condition {
            Condition(interests: interests.stoppingGradient(), recent: recent?.stoppingGradient())
        }
    }

    /// The denoiser's inputs besides the noised vector and the step's number.
    struct Terms {
        /// The condition's term of the first layer, `[B, H]`.
        var guidance: Variable
        /// `W_t tau(t)` of every step, `[T, H]`.
        var step: Variable
        /// The condition's term of the output, `[B, d]`.
        var residual: Variable?

        /// The same values as constants of another tape.
        func constants(on tape: Tape) -> Terms {
            Terms(
                guidance: tape.constant(guidance.value),
                step: tape.constant(step.value),
                residual: residual.map { tape.constant($0.value) }
            )
        }
    }

    /// The terms of a condition and of the step table, which all steps share.
    ///
    /// `c = vec(G) W_g + R W_r + b_1`. Without a hidden layer, the guidance term is `c`. With a hidden layer, it is
    /// `act(c) W_c + b_c`, and `act(c) W_o` may be the residual.
    ///
    /// - Parameters:
    ///   - condition: Interests and recent items.
    ///   - dropout: As in ``cleanVectors(noised:steps:terms:dropout:parameters:)``; the condition's layer is number 2.
    ///   - parameters: The set that holds the weights.
    /// - Returns: Terms on the condition's tape.
    func terms(of condition: Condition, dropout: DropoutMask?, _ parameters: ParameterSet) -> Terms {
        let tape = condition.interests.tape
        func weights(_ name: String) -> Variable { tape.parameter(name, from: parameters) }
        let mean =
            denoiser.layout == .mean || denoiser.residual == .meanInterest ? meanInterest(condition.interests) : nil
        let interests = denoiser.layout == .mean ? mean ?? condition.interests : condition.interests
        var guidance = interests.product(weights(Name.guidance)).addingToEachRow(weights(Name.bias))
        if let recent = condition.recent { guidance = guidance.adding(recent.product(weights(Name.recent))) }
        var residual = denoiser.residual == .meanInterest ? mean : nil
        if denoiser.conditionHidden > 0 {
            var hidden = guidance.activated(denoiser.activation)
            if let dropout { hidden = hidden.droppedOut(mask: dropout(2, denoiser.conditionHidden)) }
            guidance = hidden.product(weights(Name.condition)).addingToEachRow(weights(Name.conditionBias))
            if denoiser.residual == .condition { residual = hidden.product(weights(Name.conditionResidual)) }
        }
        return Terms(guidance: guidance, step: stepTerms(on: tape, parameters), residual: residual)
    }

    /// The predicted clean vectors, `[B, d]`.
    ///
    /// - Parameters:
    ///   - noised: `x_t`, `[B, d]`.
    ///   - steps: `t` of each row, 1...T.
    ///   - terms: From ``terms(of:dropout:_:)``.
    ///   - dropout: Makes the mask of a hidden layer by its number and width; nil when not training.
    ///   - parameters: The set that holds the weights.
    /// - Returns: Unit rows, or rows that are not normalised, by configuration.
    func cleanVectors(
        noised: Variable,
        steps: [Int],
        terms: Terms,
        dropout: DropoutMask?,
        parameters: ParameterSet
    ) -> Variable {
        let tape = noised.tape
        var hidden = noised.product(tape.parameter(Name.noised, from: parameters))
            .adding(terms.guidance)
            .adding(terms.step.gatheringRows(steps.map { Int32($0 - 1) }))
            .activated(denoiser.activation)
        if let dropout { hidden = hidden.droppedOut(mask: dropout(0, denoiser.hidden)) }
        if denoiser.depth == 2 {
            hidden = hidden.product(tape.parameter(Name.middle, from: parameters))
                .addingToEachRow(tape.parameter(Name.middleBias, from: parameters))
                .activated(denoiser.activation)
            if let dropout { hidden = hidden.droppedOut(mask: dropout(1, denoiser.hidden)) }
        }
        var output = hidden.product(tape.parameter(Name.output, from: parameters))
            .addingToEachRow(tape.parameter(Name.outputBias, from: parameters))
        if let residual = denoiser.residual == .noised ? noised : terms.residual { output = output.adding(residual) }
        return denoiser.normaliseOutput ? output.normalisedRows() : output
    }
}
