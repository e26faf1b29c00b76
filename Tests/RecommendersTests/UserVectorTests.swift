import Autodiff
import Kernels
import Recommenders
import TestSupport
import Testing

@Suite("User vectors") struct UserVectorTests {
    private let histories: [[Int32]] = [[0, 1, 2], [3], [], [4, 4, 5, 1], [6, 2]]

    private func source(_ streams: [UInt64], seed: UInt64 = 8) -> NoiseSource {
        NoiseSource(seed: seed, streams: streams)
    }

    @Test("interests equal the equations in Double, also for an empty history", arguments: Variant.all)
    func interests(variant: Variant) {
        let model = variant.model
        let found = model.userVectors(
            RaggedRows(histories),
            noise: source([0, 1, 2, 3, 4]),
            readOut: .guidanceBest
        )
        #expect(found.perUser == 2 && found.rows.shape == [10, 4])
        let reference = ReferenceModel(model)
        // Attention over at most 4 places and 5 hidden units, normalised: some dozens of roundings of size 1.
        for (index, history) in histories.enumerated() {
            let interests = history.isEmpty ? [[0, 0, 0, 0], [0, 0, 0, 0]] : reference.interests(history)
            expectClose(
                found.rows.row(2 * index) + found.rows.row(2 * index + 1),
                interests.flatMap { $0 },
                absolute: 3e-6
            )
        }
        let mean = model.userVectors(RaggedRows(histories), noise: source([0, 1, 2, 3, 4]), readOut: .guidanceMean)
        for (index, history) in histories.enumerated() where !history.isEmpty {
            let expected = ReferenceModel.unit(reference.mean(reference.interests(history)))
            expectClose(mean.rows.row(index), expected, absolute: 1e-5)
        }
    }

    @Test("one step equals the denoiser at T on the stream's normals", arguments: Variant.all)
    func oneStep(variant: Variant) {
        let model = variant.model
        let streams: [UInt64] = [5, 6, 0, 7, 1 << 33]
        let found = model.userVectors(RaggedRows(histories), noise: source(streams), readOut: .oneStep)
        let normals = CounterBasedGenerator(seed: 8, purpose: .reverseNoise).normalRows(streams: streams, columns: 4)
        let reference = ReferenceModel(model)
        for (index, history) in histories.enumerated() where !history.isEmpty {
            let expected = reference.clean(
                ReferenceModel.unit(normals.doubleRow(index)),
                t: 3,
                history: history
            )
            // Hidden sums of up to 17 terms; a short output magnifies its error when it is normalised.
            expectClose(found.rows.row(index), expected, absolute: 1e-5)
        }
    }

    @Test("a model is served with its recipe's number of steps, and its read-outs show the others too")
    func fewerSteps() throws {
        var configuration = Variant("two of three steps").model.configuration
        let parameters = Variant("two of three steps").model.parameters
        func vectors(_ served: Int, _ readOut: ReadOut) -> Matrix {
            configuration.reverse.steps = served
            return DimeRec(configuration, parameters: parameters)
                .userVectors(RaggedRows(histories), noise: source([5, 6, 0, 7, 9]), readOut: readOut).rows
        }
        func names(_ served: Int) -> [String] {
            configuration.reverse.steps = served
            return DimeRec(configuration, parameters: parameters).readOuts.map(\.description)
        }
        #expect(configuration.steps == 3)
        #expect(vectors(1, .served) == vectors(0, .oneStep) && vectors(1, .allSteps) == vectors(0, .served))
        #expect(vectors(2, .served) != vectors(0, .served) && vectors(2, .served) != vectors(0, .oneStep))
        #expect(names(0).prefix(2) == ["served", "one-step"] && !names(0).contains("all-steps"))
        #expect(names(1).prefix(2) == ["served", "all-steps"] && !names(1).contains("one-step"))
        #expect(names(2).prefix(3) == ["served", "all-steps", "one-step"])
        configuration.reverse.steps = 4
        #expect(throws: ConfigurationError.self) { try configuration.validate(prefix: "") }
    }

    @Test("the served vector equals the reverse chain around the denoiser", arguments: Variant.all)
    func served(variant: Variant) {
        let model = variant.model
        let reference = ReferenceModel(model)
        let streams: [UInt64] = [5, 6, 7]
        let rows: [[Int32]] = [[0, 1, 2], [3], [4, 4, 5, 1]]
        let expected = model.reverseChain(noise: source(streams), steps: 3) { x, t in
            Matrix(
                (0..<3).map { row in
                    reference.clean(x.doubleRow(row), t: t, history: rows[row]).map(Float.init)
                }
            )
        }
        let found = model.userVectors(RaggedRows(rows), noise: source(streams), readOut: .served)
        // Rounding errors of three denoiser calls in sequence.
        expectClose(found.rows.elements, expected.doubles, absolute: 3e-5)
        #expect(found.rows == model.generate(histories: RaggedRows(rows), noise: source(streams), steps: 3))
    }

    @Test("a row has the same vector alone and in a batch; noise depends on stream and seed", arguments: Variant.all)
    func rowsAreIndependent(variant: Variant) {
        let model = variant.model
        let rows: [[Int32]] = [[0, 1, 2], [3], [4, 4, 5, 1], [6, 2], [3]]
        let streams: [UInt64] = [9, 4, 9, 2, 4]
        for readOut in model.readOuts {
            let batch = model.userVectors(RaggedRows(rows), noise: source(streams), readOut: readOut)
            for index in rows.indices {
                let alone = model.userVectors(
                    RaggedRows([rows[index]]),
                    noise: source([streams[index]]),
                    readOut: readOut
                )
                let width = batch.perUser
                expectClose(
                    alone.rows.elements,
                    batch.rows.rows(index * width..<(index + 1) * width).doubles,
                    absolute: 1e-6,
                    "\(readOut)"
                )
            }
            #expect(batch.rows.rows(1..<2).elements.count == 4)
        }
        for readOut in [ReadOut.served, .oneStep] where variant.testDescription != "raw output" {
            let first = model.userVectors(RaggedRows([[0, 1]]), noise: source([1]), readOut: readOut).rows
            #expect(first == model.userVectors(RaggedRows([[0, 1]]), noise: source([1]), readOut: readOut).rows)
            #expect(first != model.userVectors(RaggedRows([[0, 1]]), noise: source([2]), readOut: readOut).rows)
            #expect(
                first != model.userVectors(RaggedRows([[0, 1]]), noise: source([1], seed: 9), readOut: readOut).rows
            )
        }
    }

    private func best(_ model: DimeRec, _ history: [Int32]) -> [Float] {
        model.userVectors(RaggedRows([history]), noise: source([0]), readOut: .guidanceBest).rows.elements
    }

    @Test("without positions the order of a history does not matter; with them it does")
    func permutations() {
        var model = Variant("permuted").model
        #expect(best(model, [1, 5, 2]) != best(model, [2, 1, 5]))
        model.parameters.update("guidance.position") { $0.scale(by: 0) }
        expectClose(best(model, [1, 5, 2]), best(model, [2, 1, 5]).map(Double.init), absolute: 1e-6)
    }

    @Test("padding sides agree on full windows only, and left padding counts from the newest item")
    func padding() {
        let right = Variant("right").model
        let left = Variant("left") { $0.guidance.padding = .left }.model
        #expect(right.parameters == left.parameters)
        #expect(best(right, [1, 5, 2, 0]) == best(left, [1, 5, 2, 0]))
        #expect(best(right, [1, 5]) != best(left, [1, 5]))
        // The same window with a table whose first rows moved to its end.
        var moved = left
        moved.parameters.update("guidance.position") { table in
            for (row, values) in [2, 3, 0, 1].map(table.row).enumerated() { table.setRow(row, to: values) }
        }
        #expect(best(moved, [1, 5]) == best(right, [1, 5]))
    }

    @Test("with one item, every interest is that item")
    func singleItem() {
        let model = Variant("single").model
        let item = model.scoringItems.row(3).map(Double.init)
        expectClose(best(model, [3]), item + item, absolute: 3e-7)
    }

    @Test("the rule-based module takes the newest items, oldest first")
    func ruleBased() {
        let model = Variant("rule") { $0.guidance.kind = .ruleBased }.model
        #expect(!model.parameters.names.contains { $0.hasPrefix("guidance") })
        let items = model.scoringItems
        expectClose(best(model, [6, 1, 5]), items.doubleRow(1) + items.doubleRow(5), absolute: 2e-7)
        expectClose(best(model, [5]), [0, 0, 0, 0] + items.doubleRow(5), absolute: 2e-7)
    }
}
