public import Kernels

/// A system that generates its user vectors by a reverse chain, which may be cut short.
///
/// It tells the chain's length, `reverseSteps`, and generates by ``Recommender/servedVectors(_:noise:steps:)``.
public protocol ChainRecommender: TrainedRecommender {}

extension ChainRecommender {
    /// The generated vector, and the network's first answer from the chain's start.
    public var readOuts: [ReadOut] { [.served, .oneStep] }

    /// The vectors at the end of the whole chain, or of one step.
    public func userVectors(_ histories: RaggedRows, noise: NoiseSource, readOut: ReadOut) -> UserVectors {
        servedVectors(histories, noise: noise, steps: readOut == .oneStep ? 1 : reverseSteps)
    }
}
