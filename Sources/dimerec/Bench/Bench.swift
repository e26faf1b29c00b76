import ArgumentParser

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure single parts; compare only with a peer measured in the same minute.",
        subcommands: [
            InferenceBench.self, TrainBench.self, LearningBench.self, IndexBench.self, ImportVectors.self,
            FloorBench.self, RetrievalBench.self, FiltersBench.self, SourcesBench.self, RobustnessBench.self,
            RetrainingBench.self,
        ]
    )
}
