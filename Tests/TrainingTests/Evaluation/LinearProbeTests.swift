import Kernels
import Testing
import Training

@Suite("LinearProbe") struct LinearProbeTests {
    /// Labels drawn with the given shares, each the only category of its item.
    private func categories(_ shares: [Double], count: Int) -> [[Int32]] {
        let bounds = shares.indices.map { shares[...$0].reduce(0, +) }
        return CounterBasedGenerator(seed: 8, purpose: .simulation).uniforms(stream: 0, count: count)
            .map { draw in [Int32(bounds.firstIndex { draw < $0 } ?? shares.count - 1)] }
    }

    private func normals(_ rows: Int, _ columns: Int) -> Matrix {
        CounterBasedGenerator(seed: 9, purpose: .simulation)
            .normalRows(streams: (0..<UInt64(rows)).map { $0 }, columns: columns)
    }

    @Test("predicts linearly separable categories, for vectors of any length")
    func separable() throws {
        let categories = categories([0.5, 0.3, 0.2], count: 600)
        var vectors = normals(600, 8)
        vectors.scale(by: 0.2)
        for (item, own) in categories.enumerated() { vectors[item, Int(own[0])] += 2 }
        let probe = try #require(LinearProbe(categories: categories))
        #expect(probe.accuracy(of: vectors) == 1)
        let lengths = (0..<600).map { Float(1 + $0 % 7) }
        #expect(probe.accuracy(of: vectors.scalingRows(by: lengths)) == 1)
    }

    @Test("finds nothing when labels are independent of vectors")
    func random() throws {
        let probe = try #require(LinearProbe(categories: categories([0.6, 0.3, 0.1], count: 3000)))
        let majority = probe.majorityAccuracy
        #expect(abs(majority - 0.6) < 0.03)
        // Five overlapping thirds of 3000 items: the standard error of one split is .02.
        #expect(abs(probe.accuracy(of: normals(3000, 8)) - majority) < 0.02)
        #expect(abs(probe.randomAccuracy(dimension: 8) - majority) < 0.02)
        #expect(probe.randomAccuracy(dimension: 8) == probe.randomAccuracy(dimension: 8))
    }

    @Test("in one dimension it predicts the more frequent category of each sign")
    func oneDimension() throws {
        // Of items at +1 three quarters have the first category, of those at -1 a tenth: .75 / 2 + .9 / 2.
        let categories = (0..<4000).map { item in
            let isFirst = item % 2 == 0 ? (item / 2) % 4 != 0 : (item / 2) % 10 == 0
            return [isFirst ? Int32(4) : 7]
        }
        let signs = Matrix(rows: 4000, columns: 1, elements: (0..<4000).map { $0 % 2 == 0 ? 1 : -1 })
        let probe = try #require(LinearProbe(categories: categories))
        // A held-out part has 800 items: standard error .013 a split.
        #expect(abs(probe.accuracy(of: signs) - 0.825) < 0.02)
    }

    @Test("equal vectors give the majority's share, which splits keep exactly")
    func stratified() throws {
        let categories = (0..<1000).map { [Int32($0 < 650 ? 3 : 1), 0] }
        let probe = try #require(LinearProbe(categories: categories))
        #expect(abs(probe.majorityAccuracy - 0.65) < 1e-12)
        let same = Matrix(rows: 1000, columns: 2, repeating: 1)
        #expect(probe.accuracy(of: same) == probe.majorityAccuracy)
    }

    @Test("items without a category are left out")
    func unlabelled() throws {
        let categories = categories([0.5, 0.5], count: 200)
        let vectors = normals(200, 4)
        let more = Matrix((0..<200).map(vectors.row) + [[9, -9, 9, 9]])
        let probe = try #require(LinearProbe(categories: categories))
        let other = try #require(LinearProbe(categories: categories + [[]]))
        #expect(probe.accuracy(of: vectors) == other.accuracy(of: more))
        #expect(LinearProbe(categories: []) == nil)
        #expect(LinearProbe(categories: [[Int32]](repeating: [2], count: 100)) == nil)
        #expect(LinearProbe(categories: [[Int32]](repeating: [], count: 100)) == nil)
    }
}
