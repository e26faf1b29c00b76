public import Kernels

/// A system that generates its user vectors by a reverse chain, which may take fewer steps.
///
/// It gives the chain's length by `reverseSteps`, and the vectors by ``Recommender/servedVectors(_:noise:steps:)``.
public protocol ChainRecommender: TrainedRecommender {}

extension ChainRecommender {
    /// The generated vector, and the network's prediction at the first reverse step.
    public var readOuts: [ReadOut] { [.served, .oneStep] }

    /// The vectors after the whole chain, or after one step.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        servedVectors(histories, noise: noise, steps: readOut == .oneStep ? 1 : reverseSteps)
    }
}
