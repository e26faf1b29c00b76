import ArgumentParser
import CheckpointStore
import Foundation
import Kernels
import Recommenders
import Training

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rank the whole catalogue for held-out rows, with the model, its guidance and simple predictors."
    )

    @Option(help: "The store (SQLite).") var store: String
    @Option(help: "Name in the store.") var model: String?
    @Option(help: "Models of the store, separated by commas: fits weights on validation, tests their merged lists.")
    var blend: String?
    @Option(help: "How --blend merges: reciprocal_rank or score.") var fusion = SourceBlend.Fusion.reciprocalRank
    @Option(help: "The constant of reciprocal_rank, 0 to 10000.") var constant = SourceBlend.standardConstant
    @Option(help: "How many items each list of --blend has, 1 to 1000.") var window = SourceBlend.standardWindow
    @Option(help: "Version; the active one by default.") var version: Int?
    @Option(
        help: "The folder that the model was trained on; what --data of train takes. Of parts, test.csv is evaluated.",
        completion: .directory
    )
    var data: String?
    @Option(help: "The events that the model was trained on; what --events of train takes.", completion: .file())
    var events: [String] = []
    @Option(help: "users, time or leave-one-out; must be the split that the model was trained with.") var split:
        SplitKind?
    @Option(help: "Interactions that the model was not trained on.") var test: String?
    @Option(help: "The validation interactions that --blend fits on, with --test for parts given as files.")
    var validation: String?
    @Option(help: "The training file, for the simple predictors; only with --test.") var train: String?
    @OptionGroup var columns: ColumnOptions
    @Option(help: "all-prefixes, next-after-80, five-cuts or last-item; the recipe's by default.")
    var `protocol`: EvaluationProtocol?
    @Option(help: "The part to evaluate on: validation or test.") var part: SplitPart = .test
    @Option(help: "Repeat with this many noise seeds; reports mean and standard deviation.") var noiseSeeds = 1
    @Option(help: "Write items.fvecs and users.fvecs (at most 2000 rows) to this folder, for bench index.")
    var vectorsOut: String?
    @Option(
        help: "Also write a report on the version as one HTML page; it ranks at most 2000 rows, and replaces the file.",
        completion: .file()
    )
    var html: String?
    @Flag(help: "Remove a row's history from its ranking.") var filterHistory = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        guard (model == nil) != (blend == nil) else { throw ValidationError("Give either --model or --blend.") }
        guard [data != nil, !events.isEmpty, test != nil].count(where: { $0 }) == 1 else {
            throw ValidationError("Give one of: --data; --events; --test.")
        }
        guard data == nil || (train == nil && validation == nil) else {
            throw ValidationError("--data gives all files; omit --train and --validation.")
        }
        if let blend {
            let sources = blended(blend).map { SourceBlend.Source(model: $0) }
            if let fault = SourceBlend(sources, constant: constant, window: window).fault(most: 1000) {
                throw ValidationError("--blend: \(fault.field) \(fault.message)")
            }
            guard data != nil || (test == nil) == (validation == nil) else {
                throw ValidationError("--blend fits on a validation part: give --events, or --validation with --test.")
            }
            guard version == nil, part == .test, noiseSeeds == 1, vectorsOut == nil else {
                throw ValidationError("--blend takes no --version, --part, --noise-seeds or --vectors-out.")
            }
        }
        guard blend != nil || validation == nil else { throw ValidationError("--validation needs --blend.") }
        guard part != .train else { throw ValidationError("--part must be validation or test; got 'train'.") }
        try ValidationError.require("--noise-seeds", noiseSeeds, in: 1...10_000)
    }

    /// The models of a blend.
    private func blended(_ names: String) -> [String] {
        names.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// The same options with the folder's files in place of the folder.
    private func filesOfFolder() throws -> Evaluate {
        guard let data else { return self }
        let folder = try DataFolder(data)
        guard folder.events != nil || folder.test != nil || (part == .validation && blend == nil) else {
            throw ValidationError("--data: '\(data)' has no test.csv; evaluate with --part validation, or give --test.")
        }
        var files = self
        files.data = nil
        files.events = folder.events.map { [$0] } ?? []
        (files.train, files.validation, files.test) = (folder.train, folder.validation, folder.test)
        return files
    }

    func run() throws {
        Allocator.keepFreedMemory()
        guard data == nil else { return try filesOfFolder().run() }
        if let blend { return try judgeBlend(blended(blend)) }
        guard let name = self.model else { return }
        let checkpoint = try CheckpointStore(path: store, readOnly: true).load(model: name, version: version)
        let recipe = try Recipe(stored: checkpoint.manifest.recipe)
        let counted = try recipe.model(stored: checkpoint.parameters, items: checkpoint.catalogue.count)
        let model = counted.system
        let data = try heldOut(part, of: checkpoint, targets: recipe.data.targets)
        Terminal.write(notes: data.notes)
        let `protocol` = self.protocol ?? recipe.data.evaluation.suited(to: data.part.targets)
        guard `protocol`.suits(data.part.targets) else {
            throw HeldOutError.protocolMismatch(
                protocol: `protocol`.rawValue,
                split: checkpoint.manifest.data.split
            )
        }
        let rows = EvaluationRows(data.part, protocol: `protocol`)
        guard rows.count > 0 else {
            throw HeldOutError.noRows(
                part: evaluatedPart.rawValue,
                users: data.part.userIDs.count
            )
        }
        if let vectorsOut {
            guard model.itemSpace.vectors != nil else {
                throw ValidationError("'\(recipe.system)' has no item vectors to write; omit --vectors-out.")
            }
            try VectorFile.write(SearchSpace(model.itemSpace).items, to: vectorsOut + "/items.fvecs")
            if let users = rows.userVectors(of: model, limit: 2000) {
                try VectorFile.write(users, to: vectorsOut + "/users.fvecs")
            }
        }
        let items = checkpoint.catalogue.count
        let predictors = TrivialPredictors(data.trainSequences, items: items, popularity: checkpoint.popularity)
        let evaluator = Evaluator(
            rows: rows,
            historyLength: model.historyLength,
            popularity: predictors.popularity,
            diversity: Diversity(items: checkpoint.catalogue.count, categories: checkpoint.catalogue.categories),
            filterHistory: filterHistory,
            measuresWithoutHistory: true
        )
        let results = (0..<noiseSeeds).map { evaluator.readOuts(of: counted, noiseSeed: UInt64($0)) }
        if let html {
            try ModelReport(checkpoint, counted, on: data.part, protocol: `protocol`, train: data.trainSequences)
                .writePage(to: html)
        }
        report(
            results,
            predictors: predictors.metrics(on: rows, filterHistory: filterHistory),
            unseenTargets: data.trainSequences.map { rows.unseenTargets(in: $0, items: items) },
            probe: probe(model, categories: checkpoint.catalogue.categories),
            manifest: checkpoint.manifest,
            protocol: `protocol`
        )
    }

    /// The accuracy of a linear probe of the item vectors and its floors; nil without categories.
    private func probe(_ model: some Recommender, categories: [[Int32]]) -> [String: Double]? {
        guard let vectors = model.itemSpace.vectors, let probe = LinearProbe(categories: categories) else {
            return nil
        }
        return [
            "accuracy": probe.accuracy(of: vectors), "majority": probe.majorityAccuracy,
            "random": probe.randomAccuracy(dimension: vectors.columns),
        ]
    }

    /// The part in reports: a file alone counts as the test part.
    private var evaluatedPart: SplitPart { test == nil || validation != nil ? part : .test }

    /// A part of the events that a version was trained on, or a file that it was not trained on.
    func heldOut(_ part: SplitPart, of checkpoint: Checkpoint, targets: TargetConfiguration) throws -> HeldOutData {
        if !events.isEmpty {
            return try HeldOutData(
                events: EventSource(events),
                columns: columns.names,
                targets: targets,
                split: split,
                part: part,
                manifest: checkpoint.manifest,
                catalogue: checkpoint.catalogue
            )
        }
        return try HeldOutData(
            test: (part == .validation ? validation : nil) ?? test ?? "",
            train: train,
            columns: columns.names,
            targets: targets,
            manifest: checkpoint.manifest,
            catalogue: checkpoint.catalogue
        )
    }

    private func report(
        _ results: [[(name: String, result: Evaluator.Result)]],
        predictors: [(name: String, metrics: [String: Double])],
        unseenTargets: Int?,
        probe: [String: Double]?,
        manifest: CheckpointManifest,
        protocol: EvaluationProtocol
    ) {
        let readOuts = results[0].map(\.name)
        let means = readOuts.indices.map { index in Self.mean(results.map { $0[index].result.values }) }
        let served = results[0][0].result
        let withoutHistory = Self.mean(results.map { $0[0].result.withoutHistory?.values ?? [:] })
        let findings = EvaluationFindings(
            metrics: means[0],
            rows: served.metrics.rows,
            system: manifest.system,
            predictors: predictors,
            withoutHistory: withoutHistory["hr@20"],
            unseenTargets: unseenTargets
        ).sentences
        if json {
            var object = JSONObject(means[0])
            object["model"] = manifest.model
            object["version"] = manifest.version
            object["protocol"] = `protocol`.rawValue
            object["part"] = evaluatedPart.rawValue
            object["rows"] = served.metrics.rows
            object["fallback_rows"] = served.fallbackRows
            object["unknown_targets"] = served.unknownTargets
            object["noise_seeds"] = noiseSeeds
            object["sd"] = Self.deviation(results.map { $0[0].result.metrics.values })
            object["without_history"] = withoutHistory
            object["hr@20_known"] = Self.knownHitRate(means[0], of: served)
            object["by_popularity"] = served.byPopularity.map { part in
                ["rows": Double(part.rows)].merging(part.values) { $1 }
            }
            object["read_outs"] = Dictionary(uniqueKeysWithValues: zip(readOuts, means))
            object["predictors"] = Dictionary(uniqueKeysWithValues: predictors.map { ($0.name, $0.metrics) })
            object["linear_probe"] = probe
            object["unseen_targets"] = unseenTargets
            object["findings"] = findings
            Terminal.print(object.line)
            return
        }
        var table = MetricsTable(title: "\(manifest.model) version \(manifest.version)")
        for (readOut, metrics) in zip(readOuts, means) { table.add(readOut, metrics) }
        if !filterHistory { table.add("served, history out", withoutHistory) }
        for predictor in predictors { table.add(predictor.name, predictor.metrics) }
        Terminal.print(table.text)
        var notes = "\(served.metrics.rows) rows, \(`protocol`.rawValue)"
        if noiseSeeds > 1 {
            let deviation = Self.deviation(results.map { $0[0].result.metrics.values })["hr@20"] ?? 0
            notes += ", \(noiseSeeds) noise seeds (sd of hr@20 \(String(format: "%.4f", deviation)))"
        }
        if served.unknownTargets > 0 {
            notes += ", \(served.unknownTargets) targets unknown to the model (misses"
            if let others = Self.knownHitRate(means[0], of: served) {
                notes += String(format: "; hr@20 over the others %.4f", others)
            }
            notes += ")"
        }
        if let diversity = served.diversity {
            notes += String(format: ", %.1f percent of the catalogue in the top 20", 100 * diversity.coverage)
            if let mean = diversity.meanCategories {
                notes += String(format: ", %.2f categories in the top 100", mean)
            }
        }
        if let accuracy = probe?["accuracy"] { notes += String(format: ", linear probe %.4f", accuracy) }
        Terminal.print(notes)
        let names = ["the most popular tenth of the items", "the next four tenths", "the rest"]
        let parts = zip(names, served.byPopularity).map { name, metrics in
            "\(name) \(String(format: "%.4f", metrics.hitRate(at: 20))) (\(metrics.rows) rows)"
        }
        Terminal.print("hr@20 of targets among \(parts.joined(separator: ", "))")
        for finding in findings { Terminal.print(finding) }
    }

    /// The hit rate over the rows whose target the model knows; nil without such rows.
    private static func knownHitRate(_ means: [String: Double], of result: Evaluator.Result) -> Double? {
        let known = result.metrics.rows - result.unknownTargets
        return known > 0 ? means["hr@20", default: 0] * Double(result.metrics.rows) / Double(known) : nil
    }

    private static func mean(_ values: [[String: Double]]) -> [String: Double] {
        values[0].keys.reduce(into: [:]) { result, key in
            result[key] = values.reduce(0) { $0 + $1[key, default: 0] } / Double(values.count)
        }
    }

    private static func deviation(_ values: [[String: Double]]) -> [String: Double] {
        let means = mean(values)
        return means.reduce(into: [:]) { result, entry in
            let squares = values.reduce(0) { sum, value in
                let difference = value[entry.key, default: 0] - entry.value
                return sum + difference * difference
            }
            result[entry.key] = (squares / Double(max(1, values.count - 1))).squareRoot()
        }
    }
}
