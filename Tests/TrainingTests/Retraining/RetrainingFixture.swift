import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Training

/// A small log with the times of a clock: users walk along a circle of items, one event an hour.
struct RetrainingFixture {
    static let items = 40
    /// 2023-11-14, in seconds since 1970.
    static let start = 1_700_000_000

    /// The events of some users over some days; user `u` begins `u % 24` hours into its first day.
    static func lines(users: Range<Int>, day: Int, events: Int = 12) -> [String] {
        let numbers = CounterBasedGenerator(seed: 6, purpose: .simulation)
        return users.flatMap { user in
            let first = Int(numbers.integers(below: items, stream: UInt64(user), count: 1)[0])
            return (0..<events).map { event in
                "u\(user),i\((first + event) % items),\(start + 86_400 * day + 3600 * (user % 12) + 600 * event)"
            }
        }
    }

    /// The events of the first days, each with 40 users of its own.
    static func days(_ count: Int) -> [String] { (0..<count).flatMap { lines(users: $0 * 40..<$0 * 40 + 40, day: $0) } }

    /// Fast settings.
    static var recipe: Recipe {
        var recipe = Recipe()
        recipe.model.dimension = 8
        recipe.model.historyLength = 5
        recipe.model.guidance.hidden = 8
        recipe.model.denoiser.hidden = 8
        recipe.training.batchSize = 32
        recipe.training.learningRate = 0.02
        recipe.training.negatives.count = 16
        recipe.training.maxSteps = 40
        recipe.training.validateEvery = 20
        recipe.counts.enabled = true
        return recipe
    }

    /// The folder of the log, the store and the settings.
    let folder: URL

    var events: String { folder.appending(path: "events.csv").path }
    var store: String { folder.appending(path: "store.sqlite").path }

    /// Writes a log.
    func write(_ lines: [String]) throws {
        try Data((["user,item,timestamp"] + lines).joined(separator: "\n").utf8).write(to: URL(filePath: events))
    }

    /// Settings of rounds that read the log, from a file of their own.
    func settings(_ recipe: Recipe = recipe) throws -> RetrainingConfiguration {
        try recipe.write(to: folder.appending(path: "recipe.json").path)
        let json =
            #"{"store": "store.sqlite", "model": "m", "events": "events.csv", "recipe": "recipe.json", "keep": 3}"#
        let path = folder.appending(path: "retrain.json").path
        try Data(json.utf8).write(to: URL(filePath: path))
        return try RetrainingConfiguration(contentsOf: path)
    }

    /// The log as the data of a training.
    func data(split: SplitKind = .users, continuing parent: ParentVersion? = nil) throws -> TrainingData {
        try TrainingData(
            events: EventSource(file: events),
            split: split,
            seed: 1,
            items: nil,
            learntUntil: parent?.log?.newest
        )
    }

    /// The active version as a parent.
    func parent() throws -> ParentVersion { try ParentVersion(CheckpointStore(path: store).load(model: "m")) }

    /// Trains and publishes.
    @discardableResult func train(
        _ recipe: Recipe = recipe,
        from parent: ParentVersion? = nil,
        split: SplitKind = .users,
        steps: Int? = nil
    ) throws -> Checkpoint {
        let store = try CheckpointStore(path: store)
        let data = try data(split: split, continuing: parent)
        let job = TrainingJob(recipe: recipe, data: data, seed: 1, model: "m", from: parent)
        _ = try job.run(store: store, resume: false, budget: TrainingBudget(steps: steps))
        return try store.load(model: "m")
    }

    /// Runs a body with a folder of its own.
    static func run(_ body: (RetrainingFixture) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "dimerec-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(RetrainingFixture(folder: folder))
    }
}
