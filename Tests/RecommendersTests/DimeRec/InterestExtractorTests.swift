import Kernels
import Recommenders
import TestSupport
import Testing

/// Compares serving's interests of one history with the training graph, at the sizes in use.
@Suite("Interest extractors") struct InterestExtractorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let kind: GuidanceConfiguration.Kind
        let d: Int
        let interests: Int
        let heads: Int
        let blocks: Int
        var testDescription: String { "\(kind.rawValue), d \(d), K \(interests), \(heads) heads, \(blocks) blocks" }

        /// Histories of up to 70 items of a catalogue of 150, and parameters that are not constant.
        var model: DimeRec {
            var configuration = DimeRecConfiguration()
            (configuration.dimension, configuration.interests, configuration.historyLength) = (d, interests, 70)
            configuration.guidance.kind = kind
            configuration.guidance.hidden = 128
            configuration.guidance.attentionHeads = heads
            configuration.guidance.blocks = blocks
            configuration.guidance.normaliseRows = false
            var model = DimeRec(configuration, items: 150, seed: 7)
            model.parameters.disturbConstants()
            return model
        }
    }

    static let cases =
        GuidanceConfiguration.Kind.allCases.map { Case(kind: $0, d: 64, interests: 4, heads: 2, blocks: 2) } + [
            Case(kind: .transformer, d: 64, interests: 1, heads: 1, blocks: 1),
            Case(kind: .transformer, d: 100, interests: 5, heads: 5, blocks: 3),
            Case(kind: .transformer, d: 24, interests: 20, heads: 8, blocks: 2),
            Case(kind: .transduction, d: 64, interests: 1, heads: 1, blocks: 1),
            Case(kind: .transduction, d: 100, interests: 5, heads: 5, blocks: 3),
            Case(kind: .dynamicRouting, d: 100, interests: 5, heads: 1, blocks: 1),
            Case(kind: .mind, d: 100, interests: 5, heads: 1, blocks: 1),
            Case(kind: .mlp, d: 100, interests: 3, heads: 1, blocks: 1),
        ]

    private static let histories = [1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 70].map { length in
        CounterBasedGenerator(seed: 86, purpose: .simulation)
            .integers(below: 150, stream: UInt64(length), count: length)
    }

    /// Interests by one reader, history after history; the reader must not change the elements around them.
    private func interests(_ model: DimeRec, keyBytes: Int, _ histories: [[Int32]]) -> [[Float]] {
        let count = model.configuration.interests * model.configuration.dimension
        let reader = model.inferenceWeights(keyBytes: keyBytes).guidance.makeReader()
        return histories.map { history in
            var out = [Float](repeating: 7, count: count + 2)
            let padded = [149] + history + [149]
            reader.interests(of: padded[1...history.count], into: &out, at: 1)
            #expect(out.first == 7 && out.last == 7)
            return Array(out.dropFirst().dropLast())
        }
    }

    @Test("equal the training graph at every length, for any memory limit of the tables", arguments: cases)
    func equalsGraph(shape: Case) {
        let model = shape.model
        let found = interests(model, keyBytes: .max, Self.histories)
        #expect(interests(model, keyBytes: 0, Self.histories) == found)
        let expected = model.userVectors(
            RaggedRows(Self.histories),
            noise: NoiseSource(seed: 1, streams: [UInt64](repeating: 0, count: Self.histories.count)),
            readOut: .guidanceBest
        ).rows
        // Sums of up to 128 products in other orders, some ten times one after another, of values up to 5.
        expectClose(found.flatMap { $0 }, expected.doubles, absolute: 2e-5)
    }

    @Test("do not depend on earlier histories", arguments: cases)
    func reusesScratch(shape: Case) {
        let model = shape.model
        let found = interests(model, keyBytes: 0, Self.histories.reversed())
        for (history, expected) in zip(Self.histories.reversed(), found) {
            #expect(interests(model, keyBytes: 0, [history]) == [expected])
        }
    }
}
