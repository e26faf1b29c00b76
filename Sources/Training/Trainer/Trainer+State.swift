import Autodiff
public import Kernels
import Recommenders

extension Trainer {
    /// The state that a later run needs to continue with the same results.
    public struct State: Sendable {
        /// Counters and the best metrics.
        public var progress: TrainingProgress
        /// Current weights, best weights and Adam's moments.
        public var matrices: [String: Matrix]
    }

    /// The state between two steps.
    public var state: State {
        var matrices = optimiser.moments
        for (name, matrix) in model.parameters.matrices { matrices["current.\(name)"] = matrix }
        for (name, matrix) in bestParameters?.matrices ?? [:] { matrices["best.\(name)"] = matrix }
        return State(progress: progress, matrices: matrices)
    }

    /// Continues from a state of the same recipe, data and seed.
    ///
    /// - Throws: ``TrainingError/unusableState(_:)`` when no run of this trainer can have this state.
    public mutating func restore(_ state: State) throws(TrainingError) {
        try state.progress.check(maxSteps: recipe.training.maxSteps)
        let current = try parameters("current.", of: state)
        let hasBest = state.matrices.keys.contains { $0.hasPrefix("best.") }
        let best = hasBest ? try parameters("best.", of: state) : nil
        for (name, moment) in state.matrices where name.hasPrefix(Adam.momentPrefix) {
            try requireShape(of: name, moment, parameter: Adam.parameter(ofMoment: name))
        }
        progress = state.progress
        model.parameters = current
        bestParameters = best
        optimiser.restore(step: progress.step, moments: state.matrices)
    }

    /// The model's parameters from the matrices with a prefix.
    private func parameters(_ prefix: String, of state: State) throws(TrainingError) -> ParameterSet {
        var result: [String: Matrix] = [:]
        for (name, matrix) in state.matrices where name.hasPrefix(prefix) {
            let parameter = String(name.dropFirst(prefix.count))
            try requireShape(of: name, matrix, parameter: parameter)
            result[parameter] = matrix
        }
        if let name = model.parameters.names.first(where: { result[$0] == nil }) {
            throw .unusableState("'\(prefix)\(name)' is missing")
        }
        return ParameterSet(result)
    }

    private func requireShape(of name: String, _ matrix: Matrix, parameter: String?) throws(TrainingError) {
        guard let expected = parameter.flatMap({ model.parameters.matrices[$0]?.shape }) else {
            throw .unusableState("'\(name)' belongs to no parameter of the model")
        }
        guard matrix.shape == expected else {
            throw .unusableState("'\(name)' has shape \(matrix.shape), the model expects \(expected)")
        }
    }
}
