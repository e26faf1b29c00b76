import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("DreamRec, DiffuRec and the sequential DiffRec") struct DiffusionBaselineTests {
    private static let histories: [[Int32]] = [[0, 1, 2], [3], [4, 4, 5, 1, 6], [6, 2]]
    private static let targets: [Int32] = [3, 1, 6, 0]

    private static func batch(_ histories: [[Int32]], _ targets: [Int32], _ streams: [UInt64]) -> TrainingBatch {
        TrainingBatch(
            histories: RaggedRows(histories),
            targets: targets,
            negatives: .catalogue(masked: RaggedRows(targets.map { [$0] })),
            noise: NoiseSource(seed: 77, streams: streams),
            stepRows: 4
        )
    }

    private static let batch = batch(histories, targets, [10, 11, 12, 13])

    private static func dreamrec(_ configure: (inout DreamRec.Configuration) -> Void = { _ in }) -> DreamRec {
        var configuration = DreamRec.Configuration()
        (configuration.dimension, configuration.historyLength, configuration.steps) = (4, 5, 12)
        (configuration.heads, configuration.hidden, configuration.guidanceWeight) = (2, 6, 1.5)
        configuration.nullProbability = 0.4
        configure(&configuration)
        return DreamRec(configuration, items: 7, seed: 5)
    }

    private static func diffurec(_ configure: (inout DiffuRec.Configuration) -> Void = { _ in }) -> DiffuRec {
        var configuration = DiffuRec.Configuration()
        (configuration.dimension, configuration.historyLength, configuration.steps) = (4, 5, 12)
        (configuration.heads, configuration.hidden, configuration.blocks) = (2, 6, 2)
        (configuration.mixing, configuration.itemDropout, configuration.dropout) = (0.4, 0, 0)
        configure(&configuration)
        return DiffuRec(configuration, items: 7, seed: 5)
    }

    private static func sequential(_ configure: (inout SequentialDiffRec.Configuration) -> Void = { _ in })
        -> SequentialDiffRec
    {
        var configuration = SequentialDiffRec.Configuration()
        (configuration.dimension, configuration.historyLength, configuration.steps) = (4, 5, 12)
        (configuration.heads, configuration.hidden, configuration.blocks) = (2, 6, 2)
        (configuration.tokenDeviation, configuration.rounding, configuration.logitScale) = (0.3, 0.7, 0.5)
        configuration.dropout = 0
        configure(&configuration)
        return SequentialDiffRec(configuration, items: 7, seed: 5)
    }

    @Test("DreamRec agrees with an independent reference")
    func dreamrecReference() throws {
        let reference = try ReferenceValues("dreamrec")
        let block = [
            "query", "key", "value", "mix", "expand", "expand.bias", "contract", "contract.bias", "distance",
            "attention.gain", "attention.bias", "feed.gain", "feed.bias",
        ]
        var model = Self.dreamrec()
        model.parameters = ReferenceValues.weights(
            of: model,
            names: ["items", "condition.null", "encoder.norm.gain", "encoder.norm.bias"]
                + block.map { "encoder.block0.\($0)" }
                + ["hidden", "hidden.bias", "output", "output.bias"].map { "denoiser.step.\($0)" }
                + ["noised", "condition", "step", "bias", "output", "output.bias"].map { "denoiser.\($0)" }
        )
        let draws = DreamRec.Draws(
            steps: [1, 5, 12, 8],
            normals: ReferenceValues.waves(50, rows: 4, columns: 4),
            isUnconditional: [false, true, false, false]
        )
        let tape = Tape()
        reference.expectEqual(tape, model.loss(Self.batch, draws: draws, on: tape).total, model.parameters)
        let guided = try #require(reference.guided)
        let found = model.guidedDenoiser(Self.batch.histories)(ReferenceValues.waves(51, rows: 4, columns: 4), 7)
        expectClose(found.elements, guided, absolute: 1e-5 * (guided.map(abs).max() ?? 0))
    }

    @Test("DiffuRec agrees with an independent reference")
    func diffurecReference() throws {
        let reference = try ReferenceValues("diffurec")
        let block = [
            "query", "key", "value", "mix", "expand", "expand.bias", "contract", "contract.bias", "attention.gain",
            "attention.bias", "feed.gain", "feed.bias",
        ]
        var model = Self.diffurec()
        model.parameters = ReferenceValues.weights(
            of: model,
            names: ["items", "items.norm.gain", "items.norm.bias", "output.norm.gain", "output.norm.bias"]
                + ["hidden", "hidden.bias", "output", "output.bias"].map { "step.\($0)" }
                + (0..<2).flatMap { index in block.map { "block\(index).\($0)" } }
        )
        var mixing = ReferenceValues.waves(51, rows: 11, columns: 4, amplitude: 0.4, centre: 0.2)
        let draws = DiffuRec.Draws(
            steps: [1, 5, 12, 8],
            normals: ReferenceValues.waves(50, rows: 4, columns: 4),
            mixing: mixing
        )
        let tape = Tape()
        reference.expectEqual(tape, model.loss(Self.batch, draws: draws, on: tape).total, model.parameters)
        mixing.scale(by: 1.01)
        let others = DiffuRec.Draws(steps: draws.steps, normals: draws.normals, mixing: mixing)
        let changed = model.loss(Self.batch, draws: others, on: Tape(recording: false)).total.scalar
        #expect(abs(Double(changed) - reference.loss[0]) > 1e-4, "the loss does not depend on the noised vector")
    }

    @Test("the sequential DiffRec agrees with an independent reference")
    func sequentialReference() throws {
        let reference = try ReferenceValues("diffrec-sequential")
        let block = [
            "query", "key", "value", "mix", "expand", "expand.bias", "contract", "contract.bias", "distance",
            "attention.gain", "attention.bias", "feed.gain", "feed.bias",
        ]
        var model = Self.sequential()
        model.parameters = ReferenceValues.weights(
            of: model,
            names: ["items", "output", "output.bias", "output.norm.gain", "output.norm.bias"]
                + ["hidden", "hidden.bias", "output", "output.bias"].map { "step.\($0)" }
                + (0..<2).flatMap { index in block.map { "block\(index).\($0)" } }
        )
        let draws = SequentialDiffRec.Draws(
            steps: [1, 5, 12, 8],
            normals: ReferenceValues.waves(50, rows: 4, columns: 4),
            token: ReferenceValues.waves(51, rows: 4, columns: 4)
        )
        let tape = Tape()
        reference.expectEqual(tape, model.loss(Self.batch, draws: draws, on: tape).total, model.parameters)
    }

    @Test("gradients of the loss equal central differences")
    func gradients() {
        func check(_ model: some TrainedRecommender) {
            expectGradient(of: model.parameters) { parameters, tape in
                var changed = model
                changed.parameters = parameters
                return changed.loss(Self.batch, on: tape).total
            }
        }
        check(Self.dreamrec())
        check(Self.dreamrec { $0.denoiser = .linear })
        check(Self.diffurec())
        check(Self.sequential { $0.dropout = 0.2 })
        check(
            Self.diffurec {
                ($0.geometry, $0.logitScale, $0.distances) = (.sphere, 3, true)
                $0.dropout = 0.2
            }
        )
    }

    @Test("a row's loss and vector do not depend on its batch")
    func batches() {
        func check(_ model: some TrainedRecommender) {
            func loss(_ batch: TrainingBatch) -> Double {
                Double(model.loss(batch, on: Tape(recording: false)).total.scalar)
            }
            let alone = (0..<4).map { row in
                Self.batch([Self.histories[row]], [Self.targets[row]], [UInt64(10 + row)])
            }
            #expect(abs(loss(Self.batch) - alone.map(loss).reduce(0, +)) < 1e-5)
            let noise = NoiseSource(seed: 3, streams: [7, 8, 9, 1])
            for readOut in model.readOuts {
                let all = model.userVectors(Self.batch.histories, noise: noise, readOut: readOut).rows
                let one = NoiseSource(seed: 3, streams: [9])
                let third = model.userVectors(RaggedRows([Self.histories[2]]), noise: one, readOut: readOut).rows
                expectClose(all.row(2), third.doubleRow(0), absolute: 1e-5)
            }
        }
        check(Self.dreamrec())
        check(Self.sequential { $0.dropout = 0.3 })
        check(
            Self.diffurec {
                ($0.itemDropout, $0.dropout) = (0.5, 0.3)
                $0.distances = true
            }
        )
    }

    @Test("without a condition DreamRec ignores histories, and guidance moves away from that prediction")
    func guidance() {
        let noise = NoiseSource(seed: 3, streams: [7, 7, 7, 7])
        func rows(_ w: Double) -> Matrix {
            Self.dreamrec { ($0.guidanceWeight, $0.steps) = (w, 1) }
                .userVectors(Self.batch.histories, noise: noise, readOut: .served).rows
        }
        // One step is linear in w, and its unconditional prediction (w = -1) is the same for all histories.
        let (zero, two) = (rows(0), rows(2))
        var unconditional = zero
        unconditional.scale(by: 1.5)
        unconditional.add(two, scale: -0.5)
        for row in 1..<4 { expectClose(unconditional.row(row), unconditional.doubleRow(0), absolute: 1e-5) }
        #expect(zero.row(0) != zero.row(1))

        var model = Self.dreamrec { $0.nullProbability = 1 }
        let before = model.loss(Self.batch, on: Tape(recording: false)).total.scalar
        model.parameters.update("encoder.block0.mix") { $0.scale(by: 3) }
        #expect(model.loss(Self.batch, on: Tape(recording: false)).total.scalar == before)
    }

    @Test("a detached target's row learns only from histories")
    func detachedTarget() {
        func gradient(_ detached: Bool) -> Matrix {
            let model = Self.dreamrec { ($0.detachTarget, $0.nullProbability) = (detached, 0) }
            let tape = Tape()
            let batch = Self.batch([[0, 1], [4]], [3, 3], [10, 11])
            return tape.backward(from: model.loss(batch, on: tape).total)
                .whole("items", like: model.parameters["items"])
        }
        let (free, detached) = (gradient(false), gradient(true))
        #expect(free.row(3).contains { $0 != 0 })
        #expect(detached.row(3).allSatisfy { $0 == 0 })
        for row in [0, 1, 4] {
            #expect(detached.row(row).contains { $0 != 0 })
            #expect(free.row(row) == detached.row(row))
        }
    }

    @Test("a history is a set with a newest item, unless distances are on")
    func order() {
        let noise = NoiseSource(seed: 3, streams: [7, 7, 7])
        let histories = RaggedRows([[0, 1, 2], [1, 0, 2], [0, 2, 1]] as [[Int32]])
        func rows(_ distances: Bool) -> Matrix {
            var model = Self.diffurec { ($0.distances, $0.mixing) = (distances, 0) }
            if distances {
                model.parameters.update("block0.distance") { $0 = gridMatrix(rows: 2, columns: 9, seed: 1) }
            }
            return model.userVectors(histories, noise: noise, readOut: .served).rows
        }
        let (unordered, ordered) = (rows(false), rows(true))
        expectClose(unordered.row(1), unordered.doubleRow(0), absolute: 1e-5)
        #expect(zip(unordered.row(2), unordered.row(0)).contains { abs($0 - $1) > 1e-3 })
        #expect(zip(ordered.row(1), ordered.row(0)).contains { abs($0 - $1) > 1e-3 })
    }

    @Test("stored parameters must fit the configuration")
    func storedParameters() throws {
        let dreamrec = Self.dreamrec()
        #expect(
            try DreamRec(dreamrec.configuration, stored: dreamrec.parameters.matrices).parameters
                == dreamrec.parameters
        )
        var linear = dreamrec.configuration
        linear.denoiser = .linear
        #expect(throws: ParameterError.self) {
            _ = try DreamRec(linear, stored: dreamrec.parameters.matrices)
        }
        let diffurec = Self.diffurec()
        #expect(
            try DiffuRec(diffurec.configuration, stored: diffurec.parameters.matrices).parameters
                == diffurec.parameters
        )
        var lacking = diffurec.parameters.matrices
        lacking["block1.mix"] = nil
        #expect(throws: ParameterError.missing("block1.mix")) {
            _ = try DiffuRec(diffurec.configuration, stored: lacking)
        }
    }
}
