import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("continued training") struct ContinuedTrainingTests {
    private static let log = RetrainingFixture.lines(users: 0..<60, day: 0)

    @Test("without a step, items keep their rows by id, new items are at the mean of their neighbours, others leave")
    func carriesRows() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.log)
            let former = try fixture.train()
            // Item i3 leaves, and n0 and n1 come, so every item gets another number.
            let added = (0..<60).flatMap { user -> [String] in
                let items = ["n\(user % 2)", "i\(user % 20 + 10)", "i\(user % 7 + 20)"]
                return items.enumerated().map { "w\(user),\($1),\(1_700_100_000 + $0)" }
            }
            try fixture.write(added + Self.log.filter { !$0.contains(",i3,") })
            let parent = try fixture.parent()
            var recipe = RetrainingFixture.recipe
            // A learning rate of almost nothing leaves the adopted parameters as they are.
            recipe.continuation.learningRate = 0.001
            recipe.training.learningRate = 1e-4
            let continued = try fixture.train(recipe, from: parent, steps: 1)

            let old = Dictionary(uniqueKeysWithValues: former.catalogue.ids.enumerated().map { ($1, $0) })
            let (rows, oldRows) = try (
                #require(continued.parameters["items"]), #require(former.parameters["items"])
            )
            #expect(Set(continued.catalogue.ids) == Set(old.keys).subtracting(["i3"]).union(["n0", "n1"]))
            for (number, id) in continued.catalogue.ids.enumerated() {
                guard let before = old[id] else { continue }
                #expect(zip(rows.row(number), oldRows.row(before)).allSatisfy { abs($0 - $1) < 1e-6 }, "\(id)")
            }
            let train = try fixture.data().split.train.sequences
            for new in ["n0", "n1"] {
                let number = try #require(continued.catalogue.ids.firstIndex(of: new))
                var (sum, count) = ([Float](repeating: 0, count: rows.columns), Float(0))
                for user in 0..<train.count {
                    let sequence = Array(train[user])
                    for place in sequence.indices where Int(sequence[place]) == number {
                        for other in max(0, place - 5)...min(sequence.count - 1, place + 5) {
                            guard let before = old[continued.catalogue.ids[Int(sequence[other])]] else { continue }
                            for (column, value) in oldRows.row(before).enumerated() { sum[column] += value }
                            count += 1
                        }
                    }
                }
                #expect(count > 0)
                #expect(zip(rows.row(number), sum).allSatisfy { abs($0 - $1 / count) < 1e-4 }, "\(new)")
            }
            for (name, matrix) in former.parameters
            where matrix.rows != former.catalogue.count && !name.hasPrefix("counts.") {
                let now = try #require(continued.parameters[name])
                #expect(zip(now.elements, matrix.elements).allSatisfy { abs($0 - $1) < 1e-6 }, "\(name)")
            }
        }
    }

    @Test("the manifest names the version and the first training's steps, and a chain keeps them")
    func recordsOrigin() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.log)
            let first = try fixture.train()
            #expect(first.manifest.origin == nil)
            #expect(first.manifest.log?.events == Self.log.count && first.manifest.log?.unit == "seconds")
            #expect(first.manifest.curve?.last?.step == 40)
            let second = try fixture.train(from: fixture.parent())
            #expect(second.manifest.origin == VersionOrigin(model: "m", version: 1, fullSteps: 40))
            #expect(second.manifest.curve?.last?.step == 6)
            #expect(second.parameters["items"] != first.parameters["items"])
            let third = try fixture.train(from: fixture.parent())
            #expect(third.manifest.origin == VersionOrigin(model: "m", version: 2, fullSteps: 40))
            #expect(third.manifest.recipe == first.manifest.recipe)
        }
    }

    @Test("an interrupted continuation resumes to the same weights, and not as a continuation of another version")
    func resumes() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.log)
            try fixture.train()
            let (store, parent) = (try CheckpointStore(path: fixture.store), try fixture.parent())
            let whole = try fixture.train(from: parent)
            func job(_ parent: ParentVersion?) throws -> TrainingJob {
                try TrainingJob(
                    recipe: RetrainingFixture.recipe,
                    data: fixture.data(),
                    seed: 1,
                    model: "m",
                    from: parent
                )
            }
            var step = 0
            let stopped = try job(parent).run(
                store: store,
                resume: false,
                shouldStop: { step == 3 },
                report: { if case .step(let taken, _, _, _) = $0 { step = taken } }
            )
            #expect(stopped == nil)
            #expect(throws: TrainingError.self) { try job(fixture.parent()).run(store: store, resume: true) }
            #expect(throws: TrainingError.self) { try job(nil).run(store: store, resume: true) }
            _ = try job(parent).run(store: store, resume: true)
            #expect(try store.load(model: "m").parameters == whole.parameters)
        }
    }

    @Test("every system continues", arguments: ["gru4rec", "sasrec", "bert4rec", "mult-vae", "fpmc", "item-knn"])
    func everySystem(name: String) throws {
        try RetrainingFixture.run { fixture in
            var recipe = try Recipe(json: Data(#"{"system": "\#(name)"}"#.utf8))
            (recipe.training.maxSteps, recipe.training.validateEvery, recipe.training.batchSize) = (2, 2, 32)
            try fixture.write(Self.log)
            try fixture.train(recipe)
            try fixture.write(Self.log + ["w,n,1700090000", "w,i1,1700090001", "w,n,1700090002"])
            let version = try fixture.train(recipe, from: fixture.parent())
            #expect(version.manifest.version == 2 && version.catalogue.ids.contains("n"))
            let model = try recipe.model(stored: version.parameters, items: version.catalogue.count)
            #expect(model.system.itemSpace.count == version.catalogue.count)
        }
    }

    @Test("a log that shrank, changed its ids, its unit or its end is refused with both values")
    func refusesChangedLogs() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.log)
            try fixture.train()
            let parent = try fixture.parent()
            func error(_ lines: [String], mayShrink: Bool = false) throws -> ContinuationError {
                try fixture.write(lines)
                let data = try fixture.data()
                return try #require(throws: ContinuationError.self) {
                    try parent.require(RetrainingFixture.recipe, data, logMayShrink: mayShrink)
                }
            }
            let newest = Self.log.max { $0.suffix(10) < $1.suffix(10) } ?? ""
            let shrunk = Self.log.filter { $0 == newest || !$0.hasPrefix("u1,") }
            #expect(try error(shrunk) == .shrunkLog(version: 1, was: Self.log.count, isNow: shrunk.count))
            try parent.require(RetrainingFixture.recipe, fixture.data(), logMayShrink: true)
            let older = try error(Self.log.filter { $0.suffix(10) != newest.suffix(10) }, mayShrink: true)
            guard case .olderLog(1, let was, let isNow) = older else { throw older }
            #expect(was > isNow && was.hasPrefix("2023-11-1"))
            #expect(
                try error(Self.log.map { $0 + "000" }) == .otherUnit(version: 1, was: "seconds", isNow: "milliseconds")
            )
            let renamed = try error(Self.log.map { $0.replacing(",i", with: ",item-") })
            guard case .otherItems(1, 40, 40, let formerID, let newID) = renamed else { throw renamed }
            #expect(formerID.hasPrefix("i") && newID.hasPrefix("item-"))
            for text in ["\(older)", "\(renamed)"] { #expect(text.contains("--full") && text.contains("version 1")) }
        }
    }

    @Test("another system, dimension or split is refused with both values")
    func refusesOtherRecipes() throws {
        try RetrainingFixture.run { fixture in
            try fixture.write(Self.log)
            try fixture.train()
            let (parent, data) = (try fixture.parent(), try fixture.data())
            #expect(throws: ContinuationError.otherSystem(version: 1, was: "dimerec", isNow: "sasrec")) {
                try parent.require(Recipe(json: Data(#"{"system": "sasrec"}"#.utf8)), data, logMayShrink: false)
            }
            #expect(throws: ContinuationError.otherSplit(version: 1, was: "users, seed 1", isNow: "time, seed 1")) {
                try parent.require(RetrainingFixture.recipe, fixture.data(split: .time), logMayShrink: false)
            }
            var wide = RetrainingFixture.recipe
            wide.model.dimension = 16
            let error = try #require(throws: ContinuationError.self) { try fixture.train(wide, from: parent) }
            guard case .otherShape(1, _, let was, let isNow) = error else { throw error }
            #expect(was != isNow)
        }
    }
}
