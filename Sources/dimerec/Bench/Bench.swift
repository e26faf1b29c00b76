import ArgumentParser

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure single parts; compare only figures of the same machine and minutes.",
        subcommands: [
            InferenceBench.self, TrainBench.self, LearningBench.self, IndexBench.self, ImportVectors.self,
            FloorBench.self, RetrievalBench.self, FiltersBench.self, SourcesBench.self, RobustnessBench.self,
            RetrainingBench.self,
        ]
    )
}
