import Autodiff
import Kernels
import Recommenders
import Testing

@Suite("RowShare") struct RowShareTests {
    private static let names = ParameterLayoutTests.names

    private func trained(_ name: String) throws -> any TrainedRecommender.Type {
        try #require(try ModelRegistry.system(named: name) as? any TrainedRecommender.Type)
    }

    @Test("every row is in one share, at the place that the share says", arguments: [1, 2, 3, 7])
    func partition(count: Int) {
        let rows = Matrix(rows: 23, columns: 1, elements: (0..<23).map(Float.init))
        for range in [0..<23, 4..<4, 5..<6, 7..<22] {
            var found: [Float] = []
            for first in 0..<count {
                let share = RowShare(first: first, of: count)
                let own = share.taken(from: rows.rows(range), at: range.lowerBound).elements
                #expect(share.places(of: range).map { Float($0 * count + first) } == own)
                found += own
            }
            #expect(found.sorted() == range.map(Float.init))
        }
    }

    @Test("a fresh share of a table has the rows of the whole table", arguments: names)
    func freshRows(name: String) throws {
        func check<Model: TrainedRecommender>(_ system: Model.Type) {
            let whole = Model(Model.Configuration(), items: 50, seed: 3)
            #expect(whole.itemTables.contains(ItemTable.name))
            for first in 0..<3 {
                let share = RowShare(first: first, of: 3)
                let part = Model(Model.Configuration(), items: 50, seed: 3, share: share)
                for (name, matrix) in whole.parameters.matrices {
                    let expected = whole.itemTables.contains(name) ? share.taken(from: matrix, at: 0) : matrix
                    #expect(part.parameters[name] == expected, "\(name)")
                }
            }
        }
        let system = try trained(name)
        check(system)
    }

    @Test("blocks of items cover the catalogue", arguments: [0, 1, 16_383, 16_384, 32_767, 32_768, 100_000])
    func blocks(items: Int) {
        let blocks = ItemSpace.blocks(of: items)
        #expect(blocks.flatMap { Array($0) } == Array(0..<items))
        #expect(blocks.count == 1 || blocks.allSatisfy { 16_384..<32_768 ~= $0.count })
    }

    @Test("the rows of a batch's items give the loss and the gradients of the whole tables", arguments: names)
    func fewRows(name: String) throws {
        func check<Model: TrainedRecommender>(_ system: Model.Type) {
            let whole = Model(Model.Configuration(), items: 60, seed: 3)
            guard whole.gathersItems else { return }
            let batch = TrainingBatch(
                histories: RaggedRows([[50, 7], [7, 7, 9], [30]]),
                targets: [9, 41, 50],
                negatives: .pool([3, 9, 58, 3], corrections: nil, masked: RaggedRows([[1], [], [0]])),
                secondNegatives: whole.drawsSecondNegatives
                    ? .perRow([5, 6, 7, 8, 10, 11], count: 2) : nil,
                noise: NoiseSource(seed: 1, streams: [4, 5, 6]),
                stepRows: 3
            )
            let items = Array(Set(batch.items)).sorted().reversed().map { $0 }
            var rows: [String: Matrix] = [:]
            for table in whole.itemTables { rows[table] = whole.parameters[table].gatheringRows(items) }
            let few = whole.holding(rows)
            func number(_ item: Int32) -> Int32 { Int32(items.firstIndex(of: item) ?? -1) }

            let (tape, fewTape) = (Tape(), Tape())
            let loss = whole.loss(batch, on: tape)
            let fewLoss = few.loss(batch.mapItems(number), on: fewTape)
            #expect(loss.terms.map(\.value.bitPattern) == fewLoss.terms.map(\.value.bitPattern))
            let (gradients, fewGradients) = (tape.backward(from: loss.total), fewTape.backward(from: fewLoss.total))
            #expect(gradients.dense == fewGradients.dense)
            #expect(Set(gradients.rows.keys) == Set(fewGradients.rows.keys))
            #expect(Set(gradients.dense.keys).isDisjoint(with: whole.itemTables), "a table is read whole")
            for (table, parts) in gradients.rows where whole.itemTables.contains(table) {
                let fewParts = fewGradients.rows[table] ?? []
                #expect(parts.map(\.gradient) == fewParts.map(\.gradient))
                #expect(parts.map { $0.rows.map(number) } == fewParts.map(\.rows))
            }
            let histories = batch.histories
            let noise = NoiseSource(seed: 2, streams: [1, 2, 3])
            #expect(
                whole.userVectors(histories, noise: noise, readOut: .served).rows
                    == few.userVectors(histories.mapIDs(number), noise: noise, readOut: .served).rows
            )
        }
        let system = try trained(name)
        check(system)
    }
}
