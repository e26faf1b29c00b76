import Autodiff
import Foundation
import Kernels
import Recommenders
import Testing
import Training

@Suite("Weights of targets") struct TargetWeightTests {
    private func load(_ text: String, _ targets: TargetConfiguration) throws -> InteractionDataset {
        var vocabulary = ItemVocabulary()
        return try withFile(text) {
            try InteractionDataset.load(
                events: EventSource(file: $0),
                targets: targets,
                vocabulary: &vocabulary
            )
        }
    }

    private func targets(_ change: (inout TargetConfiguration) -> Void) -> TargetConfiguration {
        var targets = TargetConfiguration()
        change(&targets)
        return targets
    }

    private let log = """
        user,item,timestamp,event,rating,w
        u,a,1,view,5,1
        u,b,2,buy,2,0.5
        v,a,3,buy,4,2
        u,c,0,cart,3,0
        """

    // MARK: Reading

    @Test("the weight of an event is the product of its kind's and its own, and 0 outside of the condition")
    func weights() throws {
        // User u's events in time order are c, a, b; then v's a.
        func weights(_ change: (inout TargetConfiguration) -> Void) throws -> [Float] {
            try load(log, targets(change)).weights
        }
        #expect(try weights { _ in } == [])
        #expect(try weights { $0.weights = KindWeights("view=1, buy=5,cart=0")! } == [0, 1, 5, 5])
        #expect(try weights { $0.events = KindList("buy")! } == [0, 0, 1, 1])
        #expect(try weights { $0.minRating = 3 } == [1, 1, 0, 1])
        #expect(try weights { $0.weightColumn = "w" } == [0, 1, 0.5, 2])
        let all = try weights {
            $0.weightColumn = "W"
            $0.weights = KindWeights("view=3,buy=5")!
            $0.events = KindList("buy,view")!
            $0.minRating = 4
        }
        #expect(all == [0, 3, 0, 10])
    }

    @Test("histories keep all events, and weights of 1 do not change the digest")
    func histories() throws {
        let plain = try load(log, TargetConfiguration())
        let buys = try load(log, targets { $0.events = KindList("buy")! })
        #expect(plain.sequences == buys.sequences && plain.digest != buys.digest)
        let ones = try load(log, targets { $0.weights = KindWeights("view=1,buy=1,cart=1")! })
        #expect(ones.digest == plain.digest && ones.weights == [1, 1, 1, 1])
        #expect(buys.notes.contains { $0.contains("2 of 4 events are targets") && $0.contains("event buy") })
        #expect(try load(log, targets { $0.minRating = 9 }).notes.contains { $0.hasPrefix("warning") })
    }

    @Test("errors name place, value and next step")
    func errors() throws {
        func refusal(_ text: String, _ change: (inout TargetConfiguration) -> Void) throws -> String {
            let error = #expect(throws: CSVError.self) { try load(text, targets(change)) }
            return "\(error.map(String.init(describing:)) ?? "")"
        }
        let kind = try refusal(log) { $0.weights = KindWeights("view=1,buy=5")! }
        #expect(kind.contains(":5:7: the recipe gives no weight to events of kind 'cart'") && kind.contains("'cart=0'"))
        let kinds = try refusal(log) { $0.weights = KindWeights("view=1")! }
        #expect(kinds.contains(":3:7: the recipe gives no weight to events of kind 'buy', 'cart'"))
        #expect(kinds.contains("'buy=0,cart=0'"))
        let absent = try refusal(log) { $0.events = KindList("sale,Buy")! }
        #expect(absent.contains("is of kind 'sale' or 'Buy'"))
        #expect(absent.contains("kinds are 'buy', 'cart', 'view'; name them"))
        let negative = try refusal(log.replacing("0.5", with: "-1")) { $0.weightColumn = "w" }
        #expect(negative.contains(":3:13: the weight '-1'"))
        #expect(try refusal(log.replacing("0.5", with: "x")) { $0.weightColumn = "w" }.contains("'x' in column 'w'"))
        #expect(try refusal(log) { $0.weightColumn = "weight" }.contains("no column 'weight'"))
        let bare = "user,item\nu,i\n"
        let both = try refusal(bare) {
            $0.events = KindList("buy")!
            $0.minRating = 4
        }
        #expect(both.contains("kinds of events, or ratings") && both.contains("--event-column"))
    }

    @Test("recipes write weights as text, and refuse other text")
    func recipe() throws {
        let recipe = try Recipe(json: Data(#"{"data":{"targets":{"weights":"view=1, buy=2.5","events":"buy"}}}"#.utf8))
        #expect(recipe.data.targets.weights.entries.map(\.weight) == [1, 2.5])
        #expect(try Recipe(json: Data(recipe.json.utf8)) == recipe)
        for text in ["view", "view=", "=1", "view=1,view=2", "view=x", "view=1,,buy=2", "view=inf"] {
            let json = Data(#"{"data":{"targets":{"weights":"\#(text)"}}}"#.utf8)
            #expect(throws: ConfigurationError.self, "\(text)") { try Recipe(json: json) }
        }
        #expect(throws: ConfigurationError.self) {
            try Recipe(json: Data(#"{"data":{"targets":{"weights":"view=-1"}}}"#.utf8))
        }
    }

    // MARK: Splits and rows

    @Test("splits carry the weight of each event", arguments: SplitKind.allCases)
    func splits(kind: SplitKind) throws {
        // The item of an event tells its weight, so an event that got another's weight shows.
        var generator = SequentialGenerator(CounterBasedGenerator(seed: 4, purpose: .simulation))
        var rows = ["user,item,timestamp,w"]
        for event in 0..<600 {
            let item = Int.random(in: 0..<7, using: &generator)
            rows.append("u\(Int.random(in: 0..<60, using: &generator)),\(item),\(event * 7919 % 601),\(item)")
        }
        var vocabulary = ItemVocabulary()
        let dataset = try withFile(rows.joined(separator: "\n")) {
            try InteractionDataset.load(
                events: EventSource(file: $0),
                targets: targets { $0.weightColumn = "w" },
                vocabulary: &vocabulary
            )
        }
        let split = DataSplit(dataset, by: kind, seed: 1)
        for part in SplitPart.allCases {
            let part = split[part]
            #expect(part.weights.count == part.sequences.ids.count && !part.weights.isEmpty)
            #expect(zip(part.sequences.ids, part.weights).allSatisfy { vocabulary.ids[Int($0)] == "\(Int($1))" })
        }
    }

    @Test("only targets are evaluated", arguments: EvaluationProtocol.allCases)
    func rows(protocol: EvaluationProtocol) {
        let sequences = randomSequences(users: 50, items: 9, longest: 40, seed: 6)
        let all = DataPart(userIDs: (0..<50).map(String.init), sequences: sequences)
        let same = DataPart(
            userIDs: all.userIDs,
            sequences: sequences,
            weights: sequences.ids.map { Float($0 + 1) }
        )
        func places(_ rows: EvaluationRows) -> [[Int]] {
            (0..<rows.count).map { [rows.user(of: $0), rows.cut(of: $0)] }
        }
        #expect(
            places(EvaluationRows(all, protocol: `protocol`)) == places(EvaluationRows(same, protocol: `protocol`))
        )
        let some = DataPart(
            userIDs: all.userIDs,
            sequences: sequences,
            weights: sequences.ids.map { $0 < 3 ? 2 : 0 }
        )
        let rows = EvaluationRows(some, protocol: `protocol`)
        #expect(rows.count > 0 && (0..<rows.count).allSatisfy { rows.target(of: $0).map { $0 < 3 } ?? false })
        #expect(Set(places(rows)).count == rows.count)
        if `protocol` == .allPrefixes {
            let targets = (0..<50).reduce(0) { $0 + sequences[$1].dropFirst().count { $0 < 3 } }
            #expect(rows.count == targets)
        }
    }

    // MARK: Windows

    @Test("weights that are all equal give the windows of none, to the last bit", arguments: [false, true], [1, 5])
    func equalWindows(whole: Bool, weight: Float) {
        let sequences = randomSequences(users: 40, items: 30, longest: 23, seed: 1)
        let plain = TrainingWindows(sequences, historyLength: 6, wholeWindows: whole)
        let weighted = TrainingWindows(
            sequences,
            weights: sequences.ids.map { _ in weight },
            historyLength: 6,
            wholeWindows: whole
        )
        #expect(plain.targets == weighted.targets && plain.count == weighted.count && !weighted.hasUnequalWeights)
        for step in 0..<40 { #expect(plain.step(step, size: 17, seed: 3) == weighted.step(step, size: 17, seed: 3)) }
        let window = weighted.step(0, size: 1, seed: 3)[0]
        #expect(weighted.weight(of: window.targets.lowerBound, user: window.user) == 1)
        #expect(plain.weight(of: window.targets.lowerBound, user: window.user) == nil)
    }

    @Test("an epoch of short windows has every target once and no other event, with weights of mean 1")
    func someWindows() {
        let sequences = randomSequences(users: 40, items: 30, longest: 23, seed: 1)
        let weights = sequences.ids.map { $0 % 3 == 0 ? Float($0 % 5 + 1) : 0 }
        let windows = TrainingWindows(sequences, weights: weights, historyLength: 6, wholeWindows: false)
        let expected = (0..<sequences.count).flatMap { user in
            sequences[user].indices.dropFirst().filter { weights[$0] > 0 }
                .map { user * 1000 + $0 - sequences.offsets[user] }
        }
        #expect(windows.targets == expected.count)
        for epoch in 0..<2 {
            let epoch = windows.step(epoch, size: windows.count, seed: 5)
            #expect(epoch.map { $0.user * 1000 + $0.targets.lowerBound }.sorted() == expected)
            let sum = epoch.reduce(0.0) { sum, window in
                sum + Double(windows.weight(of: window.targets.lowerBound, user: window.user) ?? 0)
            }
            #expect(abs(sum / Double(expected.count) - 1) < 1e-5)
            #expect(Set(epoch.map(\.stream)).count == epoch.count)
        }
        let whole = TrainingWindows(sequences, weights: weights, historyLength: 6, wholeWindows: true)
        #expect(whole.targets == sequences.lengths.reduce(0) { $0 + max(0, $1 - 1) })
        #expect(whole.hasUnequalWeights && windows.hasUnequalWeights)
    }
}

@Suite("Training with weights of targets") struct WeightedTrainingTests {
    private static let items = 24

    private static func recipe(_ system: any TrainedRecommender.Type) throws -> Recipe {
        let json = """
            {"system": "\(system.system)", "model": {"dimension": 16, "historyLength": 6},
             "training": {"batchSize": 96, "maxSteps": 6, "validateEvery": 6,
                          "negatives": {"count": 12}}}
            """
        return try Recipe(json: Data(json.utf8))
    }

    private static func split(weights: ((Int32) -> Float)?) -> DataSplit {
        let sequences = randomSequences(users: 60, items: items, longest: 14, seed: 8)
        func part(_ range: Range<Int>) -> DataPart {
            let own = RaggedRows(range.map { sequences[$0] })
            return DataPart(
                userIDs: range.map(String.init),
                sequences: own,
                weights: weights.map { own.ids.map($0) } ?? []
            )
        }
        return DataSplit(train: part(0..<45), validation: part(45..<60), test: DataPart(nil))
    }

    private static func trained<Model: TrainedRecommender>(
        _ system: Model.Type,
        weights: ((Int32) -> Float)?
    ) throws -> ParameterSet {
        let recipe = try recipe(system)
        var trainer = try Trainer(
            model: Model(Model.own(recipe.configuration), items: items, seed: 3),
            recipe: recipe,
            split: split(weights: weights),
            items: items,
            seed: 3
        )
        return try trainer.run().model.parameters
    }

    private static func check<Model: TrainedRecommender>(_ system: Model.Type) throws {
        let plain = try trained(system, weights: nil)
        #expect(try trained(system, weights: { _ in 1 }) == plain)
        #expect(try trained(system, weights: { _ in 5 }) == plain)
        #expect(try trained(system, weights: { $0 < 12 ? 1 : 3 }) != plain)
    }

    @Test("equal weights give the weights of a training without, to the last bit; others do not")
    func equal() throws {
        try Self.check(DimeRec.self)
        try Self.check(SASRec.self)
        try Self.check(FPMC.self)
        try Self.check(DiffuRec.self)
    }

    @Test("a system that learns whole histories refuses unequal weights, and takes equal ones")
    func refused() throws {
        let plain = try Self.trained(DreamRec.self, weights: nil)
        #expect(try Self.trained(DreamRec.self, weights: { _ in 2 }) == plain)
        #expect(throws: ConfigurationError.self) { try Self.trained(DreamRec.self, weights: { Float($0 + 1) }) }
    }
}
