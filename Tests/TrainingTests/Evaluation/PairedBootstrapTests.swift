import Kernels
import Testing
import Training

@Suite("PairedBootstrap") struct PairedBootstrapTests {
    private static let random = CounterBasedGenerator(seed: 9, purpose: .simulation)

    /// Random hits of a system with a given hit probability.
    private func hits(_ share: Double, rows: Int, stream: UInt64) -> [Double] {
        Self.random.uniforms(stream: stream, count: rows).map { Double($0) < share ? 1 : 0 }
    }

    @Test("equal systems do not differ, and a system that always gains is significant")
    func extremes() {
        let bootstrap = PairedBootstrap(userOfRow: (0..<100).map { $0 / 2 }, samples: 200)
        let reference = hits(0.4, rows: 100, stream: 1)
        let found = bootstrap.differences(from: reference, of: [reference, reference.map { $0 + 0.25 }])
        #expect(found[0].mean == 0 && found[0].low == 0 && found[0].high == 0 && found[0].p == 1)
        #expect(found[1].mean == 0.25 && found[1].low == 0.25 && found[1].high == 0.25 && found[1].p == 0.01)
    }

    @Test("with one row a user the interval is the normal interval of paired differences")
    func normalInterval() {
        let rows = 4000
        let (a, b) = (hits(0.50, rows: rows, stream: 2), hits(0.53, rows: rows, stream: 3))
        let found = PairedBootstrap(userOfRow: Array(0..<rows)).differences(from: a, of: [b])[0]
        let gains = zip(a, b).map { $1 - $0 }
        let mean = gains.reduce(0, +) / Double(rows)
        let variance = gains.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(rows - 1)
        let half = 1.96 * (variance / Double(rows)).squareRoot()
        #expect(abs(found.mean - mean) < 1e-12)
        #expect(abs(found.low - (mean - half)) < 0.1 * half && abs(found.high - (mean + half)) < 0.1 * half)
    }

    @Test("rows of a user are not treated as independent")
    func clusters() {
        // Ten equal rows a user: as certain as one row a user, not ten times as much data.
        let (a, b) = (hits(0.5, rows: 400, stream: 4), hits(0.55, rows: 400, stream: 5))
        func repeated(_ values: [Double]) -> [Double] { values.flatMap { [Double](repeating: $0, count: 10) } }
        let single = PairedBootstrap(userOfRow: Array(0..<400)).differences(from: a, of: [b])
        let many = PairedBootstrap(userOfRow: (0..<4000).map { $0 / 10 })
            .differences(from: repeated(a), of: [repeated(b)])
        #expect(abs(single[0].low - many[0].low) < 1e-9 && abs(single[0].high - many[0].high) < 1e-9)
        #expect(single[0].p == many[0].p)
    }

    @Test("the order of other systems does not matter")
    func order() {
        let bootstrap = PairedBootstrap(userOfRow: (0..<300).map { $0 % 40 }, samples: 300)
        let systems = (0..<3).map { hits(0.3 + 0.1 * Double($0), rows: 300, stream: UInt64($0)) }
        let forwards = bootstrap.differences(from: systems[0], of: [systems[1], systems[2]])
        let backwards = bootstrap.differences(from: systems[0], of: [systems[2], systems[1]])
        #expect(forwards == backwards.reversed())
    }
}
